"""Keys and the configuration of SSH servers, as text."""
