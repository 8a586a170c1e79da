"""Partition tables, file system signatures and mount tables, as bytes."""
