"""Wire and file formats. Pure functions: bytes in, model out, or the reverse.

They do no I/O, read no clock, and import nothing of ``host``.
"""
