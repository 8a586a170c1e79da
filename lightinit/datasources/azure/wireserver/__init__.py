"""The WireServer: what it is asked, what it is told, and how to wait for it."""
