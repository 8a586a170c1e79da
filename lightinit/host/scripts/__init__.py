"""Runs scripts, bounded."""
