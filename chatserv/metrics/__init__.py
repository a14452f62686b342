"""Figures and health of a server, over HTTP on this machine, for Prometheus and whoever looks after it."""
