"""The SSH server that is there, and its files."""
