"""Azure as a datasource."""
