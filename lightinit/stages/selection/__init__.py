"""What counts in a boot: which datasource, which modules, and what the modules are given."""
