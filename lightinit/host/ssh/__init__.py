"""The installed SSH server, and its files."""
