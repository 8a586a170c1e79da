"""Block devices, file systems and mounts."""
