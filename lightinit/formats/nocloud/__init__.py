"""What a NoCloud seed is made of: words, meta-data, network-config. Bytes in, values out."""
