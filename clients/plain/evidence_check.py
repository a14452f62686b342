"""``--check-evidence FILE``: whether a file proves that a server has shown two logs."""

from pathlib import Path

from chatserv.client import SlashError
from clients.shared.evidence_text import finding_lines, read_evidence
from clients.shared.exit_codes import DONE, NOT_SENT, Exit
from clients.shared.printing import Printing
from clients.shared.startup import tell


def check_file(path: Path) -> int:
    """Prints what it comes to. Returns 0 only where it is a proof."""
    try:
        finding = read_evidence(path)
    except SlashError as error:
        tell(error.explain())
        return NOT_SENT
    ends: list[Exit] = []
    printing = Printing(ends.append)
    for line in finding_lines(finding):
        printing.line(line)
        if ends:
            return ends[0].code
    return DONE if finding.verdict.proves else NOT_SENT
