"""Tests of ``client.slash``."""
