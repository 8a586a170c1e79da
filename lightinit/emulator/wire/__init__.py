"""Serves HTTP, with the faults of a scenario."""
