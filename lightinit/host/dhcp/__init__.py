"""DHCP clients: their leases, and how to have them renewed."""
