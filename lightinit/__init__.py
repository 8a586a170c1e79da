"""lightinit: provisions a Linux VM, once, and then stays out of the way."""

__version__ = "0.1.0"
