"""The documents that the platform serves and takes."""
