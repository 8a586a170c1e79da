"""Text files, and files in users' homes."""
