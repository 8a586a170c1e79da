"""Block devices, partitions, file systems, mounts and swap."""
