"""OpenStack's config drive as a datasource."""
