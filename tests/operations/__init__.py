"""Tests of `chatserv.operations`."""
