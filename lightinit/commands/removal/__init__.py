"""What clean and generalize remove."""
