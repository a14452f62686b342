"""Tests of the backplane."""
