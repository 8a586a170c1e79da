"""Runs scripts with limits on time and output."""
