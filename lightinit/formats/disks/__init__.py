"""Partition tables, file system signatures, NTFS, fstab and mount tables: bytes in, values out."""
