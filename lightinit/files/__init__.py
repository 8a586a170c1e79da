"""Writes the files that the settings and a cloud-config list, for the modules that do so."""
