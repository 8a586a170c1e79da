"""The scripts in user data: which there are, in which order they run, and their execution."""
