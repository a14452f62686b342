"""What a server says on the terminal when it starts: its fingerprint, and the first administrator's way in."""

import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

from chatserv import VERSION
from chatserv.bootstrap import Prepared
from chatserv.i18n import _
from chatserv.net.advertising import advertised_link
from chatserv.private_files import shell_word
from chatserv.qr import terminal_qr
from chatserv.streams import escape, say, takes
from chatserv.systemd import goes_to_journal
from chatserv.wire.link import ServerLink, fingerprint_text, format_link

QUIET_MODULES: Final = 4  # around a QR code (ISO/IEC 18004)


def client_program() -> str:
    """What to type for the client: its name where the shell finds it, else its path beside this interpreter, quoted."""
    name = "chatserv-client"
    beside = Path(sys.executable).with_name(name)
    return shell_word(beside) if shutil.which(name) is None and beside.exists() else name


def announce(prepared: Prepared, out: TextIO) -> bool:
    """Prints fingerprint, and link and QR code of the first invite, to the terminal; neither to a log nor to the journal.

    Tells if it could.
    """
    lines = [
        f"chatserv {VERSION}, {_('state in')} {escape(str(prepared.state.path))}",
        f"{_('server fingerprint')}  {fingerprint_text(prepared.public.server_id)}",
    ]
    if prepared.rotations:
        lines.append(f"{_('key in use')}  {fingerprint_text(prepared.public.key_id)}")
    if prepared.invite is not None and prepared.config.security.registration == "closed":
        lines.append(
            _("no administrator yet, and registration is closed: set security.registration to invite for the first one")
        )
    elif prepared.invite is not None and goes_to_journal(out):  # which others read too
        said = _("no administrator yet; this prints the link for the first one: {command}")
        lines.append(said.format(command=f"chatserv invite --admin --state-dir {shell_word(prepared.state.path)}"))
    elif prepared.invite is not None:
        lines += _way_in(advertised_link(prepared.config, prepared.public, prepared.invite), out)
    return say(out, "\n".join(lines) + "\n")


def _way_in(link: ServerLink | None, out: TextIO) -> list[str]:
    if link is None:
        return [
            _(
                "no administrator yet, and no TCP port of this server's own that a link could lead to: set server.advertise"
            ),
            _("and server.port to where people reach it, and start it again for the first administrator's link"),
        ]
    text = format_link(link)
    code = terminal_qr(text, border=QUIET_MODULES, colour=out.isatty())
    program = client_program()
    if not takes(out, code):  # an encoding without the blocks that a code is drawn with
        said = _("no administrator yet; the first one starts {program} and pastes this link, once and within a day:")
        return [said.format(program=program), text]
    return [
        _("no administrator yet; the first one scans this, once and within a day:"),
        code,
        _("or starts {program} and pastes this link:").format(program=program),
        text,
    ]
