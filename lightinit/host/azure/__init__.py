"""The files through which Azure's host reads from inside the VM."""
