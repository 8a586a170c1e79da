"""What DHCP clients write about a lease, as bytes."""
