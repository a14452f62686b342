"""What processes are, asked in a way that takes those that end meanwhile."""

import psutil


def command_of(process: psutil.Process) -> str:
    """The command line of a process; empty where it has just ended, reaped or not."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still does anything; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
