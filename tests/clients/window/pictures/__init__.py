"""Tests for the reader of pictures."""
