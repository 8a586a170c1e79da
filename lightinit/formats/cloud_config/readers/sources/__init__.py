"""Where packages come from: one file for each kind of package manager that has keys of its own."""
