"""Every module of this folder with rows: those in which a function stands under ``@row(number, title)``."""

import importlib
from pathlib import Path


def load() -> None:
    """Fills the table of rows."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if "\n@row(" in path.read_text(encoding="utf-8"):
            importlib.import_module(f"tests.faults.{path.stem}")
