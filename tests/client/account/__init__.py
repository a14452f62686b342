"""Tests of ``client.account``."""
