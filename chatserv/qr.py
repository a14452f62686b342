"""QR codes for a terminal."""

import io

_WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m"  # entries of the 256-colour cube: themes change the first sixteen alone
_RESET = "\x1b[0m"


def terminal_qr(text: str, border: int = 1, *, colour: bool = True) -> str:
    """A QR code (ISO/IEC 18004) of half-block characters, two rows a line, each line ended by a newline.

    Args:
        text: What the code says.
        border: Width of the quiet zone in modules. The standard wants 4; 1 is enough for phones, and saves six lines.
        colour: Set white and black explicitly, so that dark and light terminals show the same. Without, light modules
            have the terminal's text colour: right on a dark terminal, inverted (which not every reader takes) on a light
            one. Pass ``stream.isatty()`` where the output may go to a file.

    Raises:
        ValueError: The text does not fit into a QR code (2,953 bytes at most), or the border is negative.
    """
    import segno  # noqa: PLC0415 - most starts have no code to show

    out = io.StringIO()
    segno.make_qr(text, error="l").terminal(out, border=border, compact=True)
    if not colour:
        return out.getvalue()
    return "".join(f"{_WHITE_ON_BLACK}{line}{_RESET}\n" for line in out.getvalue().splitlines())
