"""The commands other than provisioning: one file for each."""
