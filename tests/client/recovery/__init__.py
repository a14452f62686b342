"""Tests of chatserv.client.recovery."""
