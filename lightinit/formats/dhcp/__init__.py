"""Reads the lease files of DHCP clients."""
