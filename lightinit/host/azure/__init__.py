"""The files in the VM that Azure's host reads."""
