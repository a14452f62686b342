"""The operations on settings, and on a start: their texts."""

from typing import Any, Final

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way
from chatserv.operations.showing import table

ALONE: Final = frozenset({Way.ALONE})


def _lines(data: Any) -> list[str]:
    return list(data["lines"])


def _settings(data: Any) -> list[str]:
    if not data["settings"] or "origin" not in data["settings"][0]:
        return [f"{each['key']} = {each['written']}" for each in data["settings"]]
    default = _("default")
    rows = [(each["key"], each["written"], each["origin"] or default) for each in data["settings"]]
    return table((_("setting"), _("value"), _("from")), rows)


def _made(data: Any) -> list[str]:
    lines = [
        _("state directory: {path}").format(path=data["state"]),
        _("server fingerprint: {fingerprint}").format(fingerprint=data["fingerprint"]),
    ]
    if data["settings"]:
        lines.append(_("settings, to be looked through: {path}").format(path=data["settings"]))
    if data["link"]:
        said = _("no administrator yet; the first one starts {program} and pastes this link, once and within a day:")
        lines += [said.format(program=data["program"]), data["link"]]
    return lines


def _nothing(_data: Any) -> list[str]:
    return []


ROWS: Final = (
    Operation(
        "init",
        N_("Makes the state directory with keys and database, and the first administrator's link."),
        ALONE,
        "chatserv.operations.starting:init",
        _made,
        (
            Argument(
                "--write-settings", N_("write the default settings to this file, too, where there is none"), path=True
            ),
        ),
        more=N_(
            "The first start does that as well. Done again, it changes nothing, and gives a link as long as one is needed."
        ),
    ),
    Operation(
        "run",
        N_("Runs the server, in front of a terminal or under a service manager."),
        ALONE,
        "chatserv.operations.running:run",
        _nothing,
        (
            Argument("--daemon", N_("go into the background"), bool),
            Argument("--pidfile", N_("write the process's number to this file"), default="", path=True),
        ),
        more=N_("It is what twistd chatserv does, which takes more options."),
    ),
    Operation(
        "default-config",
        N_("Prints a settings file with every setting, what it is for, and its default."),
        ALONE,
        "chatserv.operations.settings:default_config",
        _lines,
    ),
    Operation(
        "config show",
        N_("Shows the settings that a server started here would have."),
        ALONE,
        "chatserv.operations.settings:show",
        _settings,
        (
            Argument("key", N_("this setting alone, or this table"), default=""),
            Argument("--origin", N_("with the file and line, the variable or the option that each comes from"), bool),
        ),
    ),
    Operation(
        "completion",
        N_("Prints what a shell needs to complete this command."),
        ALONE,
        "chatserv.cli.completion:completion",
        _lines,
        (Argument("shell", N_("for which shell"), choices=("bash", "zsh", "fish")),),
        more=N_('For bash: eval "$(chatserv completion bash)" in ~/.bashrc.'),
    ),
)
