"""What comes after all else of a run."""
