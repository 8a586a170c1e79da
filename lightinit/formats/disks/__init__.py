"""Partition tables, file system signatures, NTFS, fstab and mount tables: bytes in, facts out."""
