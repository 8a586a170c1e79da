"""Serves HTTP, and spoils it as a scenario says."""
