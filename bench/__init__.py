"""What the real server costs a delivery, and how long one takes: ``python -m bench`` (README.rst says how and why)."""
