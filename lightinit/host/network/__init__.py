"""Interfaces, events of the network, and HTTP."""
