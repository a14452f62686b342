"""Tests of `chatserv.client.history`."""
