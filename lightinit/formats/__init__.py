"""Wire and file formats, pure: bytes in, model out (or the reverse). No I/O, no clock, nothing of
host.
"""
