"""Tests of the benchmark: its counting, not its figures."""
