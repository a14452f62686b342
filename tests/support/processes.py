"""What processes are, asked in a way that takes those that end meanwhile."""

import os
from contextlib import suppress

import psutil


def command_of(process: psutil.Process) -> str:
    """The command line of a process; empty where it has just ended, reaped or not."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def open_files() -> set[tuple[str, str]]:
    """The descriptors of this process, each with what it is of: garbage of other tests may go while one looks."""
    found = set()
    for each in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing itself
            found.add((each, os.readlink(f"/proc/self/fd/{each}")))
    return found


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still does anything; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
