"""Tests of `chatserv.cli`."""
