"""Where packages come from: the files of package managers, and OpenPGP keys, as text and bytes."""
