"""What Azure's host reads from inside the machine."""
