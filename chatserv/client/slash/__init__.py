"""Slash commands, the same in every program."""
