"""The fault suite: ``python -m tests.faults`` (docs/reliability.rst)."""
