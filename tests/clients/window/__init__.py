"""Tests of the window: its models without a screen, its widgets on one that nobody looks at."""
