"""What ``make demo`` shows, one platform in each file."""
