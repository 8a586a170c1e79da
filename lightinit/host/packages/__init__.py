"""Package managers: what each of them is called with, and how packages are installed by it."""
