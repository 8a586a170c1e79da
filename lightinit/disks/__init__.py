"""Disks by the names that users give them: found on this machine, looked into, and told in use.

Unlike ``host/disks`` and ``formats/disks`` it sees the machine and the bytes at once, and so
decides whether a disk may be changed.
"""
