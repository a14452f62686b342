"""How Sphinx builds these pages: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chatserv import VERSION

project = "chatserv"
author = "The chatserv developers"
copyright = author  # noqa: A001 - Sphinx's name
version = release = VERSION

extensions: list[str] = []
exclude_patterns = ["_build"]
primary_domain = "py"
highlight_language = "none"

html_theme = "furo"
html_title = f"chatserv {VERSION}"
html_copy_source = False
html_show_sphinx = False
