"""irssi, the IRC client, of demonstrations and tests: with a directory of its own, and connected by itself."""

import shutil
from pathlib import Path
from typing import Final

IRSSI: Final = "irssi"
ENVIRONMENT: Final = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
WELCOME: Final = "what you say is end-to-end encrypted"
"""What it shows once it is connected."""


def irssi_command(directory: Path, port: int, password: str) -> list[str]:
    """The command of one that connects to a ``chatserv-irc``.

    Args:
        directory: Gets its settings, with the password, where nobody else may read them.
        port: Of 127.0.0.1.
        password: What IRC clients have to say there.
    """
    home = directory / "irssi"
    home.mkdir(mode=0o700)
    (home / "config").write_text(
        f"""servers = ( {{ address = "127.0.0.1"; chatnet = "chat"; port = "{port}"; password = "{password}";
  autoconnect = "yes"; family = "inet"; }} );
chatnets = {{ chat = {{ type = "IRC"; cmdspeed = "1"; cmdmax = "100"; }}; }};
settings = {{ core = {{ real_name = "x"; user_name = "x"; nick = "x"; }};
  "fe-text" = {{ paste_detect_time = "0"; paste_verify_line_count = "0"; }};
  "fe-common/core" = {{ term_charset = "UTF-8"; }}; }};
""",
        encoding="utf-8",
    )
    return [shutil.which(IRSSI) or IRSSI, f"--home={home}"]
