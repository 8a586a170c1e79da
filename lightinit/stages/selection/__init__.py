"""The modules that the settings list: which of them count, and what they are given."""
