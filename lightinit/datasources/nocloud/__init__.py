"""NoCloud: data from a folder, a volume, a URL, or the words of whoever started the machine."""
