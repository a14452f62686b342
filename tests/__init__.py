"""Tests, laid out like the tree they test. They read English, whatever the developer's language is."""

import os

os.environ["LANGUAGE"] = "en"  # before chatserv.i18n reads it; programs that tests start inherit it
