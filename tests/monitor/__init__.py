"""Tests of the monitor child and its supervision."""
