"""Init systems: which services they start, and how lightinit uses them."""
