"""Tests of `chatserv.client.own`."""
