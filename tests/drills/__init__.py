"""``make cluster-drill``: what several nodes of one server have to stand, a line each (docs/reliability.rst)."""
