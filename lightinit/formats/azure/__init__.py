"""What Azure says and hears, as bytes."""
