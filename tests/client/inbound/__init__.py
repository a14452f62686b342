"""Tests of ``client.inbound``."""
