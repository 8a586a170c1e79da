"""What the metadata service of EC2 says: its tree of values."""
