"""Init systems, and what lightinit needs of them."""
