"""The documents that the platform sends and receives."""
