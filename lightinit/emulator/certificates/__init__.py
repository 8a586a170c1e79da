"""Makes, reads and packs certificates as the platform does."""
