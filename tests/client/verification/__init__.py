"""Tests of ``client.verification``."""
