"""What the platform does outside the network."""
