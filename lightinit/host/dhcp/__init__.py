"""DHCP clients on this machine: where their lease files are, and how to renew and rebind leases."""
