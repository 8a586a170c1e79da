"""Makes and completes accounts, for the modules that do so."""
