"""The init system, and other agents that it starts."""
