"""Tests of what demonstrations and tests are made with."""
