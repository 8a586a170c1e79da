"""The reader: a program of its own, which imports nothing else of lightinit."""
