"""What an evidence file comes to, in words; for whoever trusts nobody."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chatserv.client import (
    ChatError,
    Finding,
    SlashError,
    Verdict,
    check_evidence,
    clean_line,
    fingerprint_text,
    system_text,
    translate,
)

MAX_BYTES: Final = 65_536  # of a file; evidence is shorter


def read_evidence(path: Path) -> Finding:
    """What is in a file. Raises `SlashError` with why there is no evidence in it."""
    try:
        with path.open("rb") as file:
            return check_evidence(file.read(MAX_BYTES))
    except OSError as error:
        raise SlashError(clean_line(f"{path}: {system_text(error)}")) from None
    except ChatError as error:
        said = translate("This is no evidence, or something in it is forged: {why}")
        raise SlashError(clean_line(said.format(why=error.detail))) from None


def evidence_lines(path: Path) -> list[str]:
    """The same in words. Raises as `read_evidence`."""
    return finding_lines(read_evidence(path))


def finding_lines(finding: Finding) -> list[str]:
    """Whose signatures, on what, and what follows."""
    lines = [
        translate("Both statements are signed by the server with this fingerprint, which its links end with:"),
        f"  {fingerprint_text(finding.server_id)}",
    ]
    for number, head in enumerate(finding.heads, 1):
        said = translate("{number}. On {time} it signed a log of {size} entries with the root")
        lines += [said.format(number=number, time=_time(head.at_ms), size=head.size), f"  {head.root.hex()}"]
    if finding.prefix_root is not None:
        said = translate("The longer log had, as is proven, after {size} entries the root")
        lines += [said.format(size=finding.heads[0].size), f"  {finding.prefix_root.hex()}"]
    return [*lines, _verdict(finding.verdict)]


def _verdict(verdict: Verdict) -> str:
    match verdict:
        case Verdict.TWO_ROOTS:
            return translate("PROOF: one log has one root at each size. This server has shown two different logs.")
        case Verdict.REWRITTEN:
            return translate(
                "PROOF: a log only grows, and these two do not begin alike. This server has shown two different logs."
            )
        case Verdict.WENT_BACK:
            return translate(
                "No proof: the server signed a shorter log after a longer one, as after its restore from a backup, or with "
                "a clock that was wrong. Both may be the same log."
            )
        case Verdict.CONSISTENT:
            return translate("No proof: both statements are of the same log.")
        case Verdict.UNDECIDED:
            return translate(
                "No proof: both statements may be of the same log; the file does not show that they are not."
            )


def _time(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{at_ms} ms"
