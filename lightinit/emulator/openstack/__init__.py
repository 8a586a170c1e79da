"""OpenStack as a VM sees it: Nova's metadata, at the metadata service or on a config drive."""
