"""Tests of ``testing.demo``."""
