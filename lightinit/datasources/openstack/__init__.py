"""OpenStack's metadata service as a datasource."""
