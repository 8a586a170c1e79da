"""The documents that lightinit and Azure exchange."""
