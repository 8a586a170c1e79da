"""Writes the files that the settings and a cloud-config list, for the modules that do so."""

# What was in files that a login needs, see former.py.
FORMER = "/var/lib/lightinit/instance/former-files.json"
