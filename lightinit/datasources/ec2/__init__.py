"""Amazon EC2, and the private clouds that speak its metadata protocol."""
