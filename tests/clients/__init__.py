"""Tests of the programs that people run."""
