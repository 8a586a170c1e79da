"""Block devices, partitions that grow, file systems, mounts and swap."""
