"""Tests of ``testing.blindness``."""
