"""Writes the seeds of NoCloud and ConfigDrive: images of volumes, and folders."""
