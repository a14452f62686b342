"""Menus, and the keys that do the same."""
