"""EC2's metadata service: IMDSv2, and IMDSv1 if asked for."""
