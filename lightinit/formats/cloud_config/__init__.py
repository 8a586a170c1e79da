"""``#cloud-config`` documents: read, checked, merged, and turned into what the modules take."""
