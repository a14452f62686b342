"""Dialogs; none of them stops the program."""
