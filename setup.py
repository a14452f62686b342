"""What pyproject.toml cannot say: the manual page is made from the code, each time that the package is built."""

import os
import sys
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
PAGE = Path("build", "share", "chatserv.1")

os.environ["LANGUAGE"] = "en"
sys.path.insert(0, str(ROOT))

from chatserv.cli.man_page import man_page  # noqa: E402

(ROOT / PAGE.parent).mkdir(parents=True, exist_ok=True)
(ROOT / PAGE).write_text(man_page(), encoding="utf-8")

setup(data_files=[("share/man/man1", [str(PAGE)])])
