"""A protocol over a transport, each with its retry policy."""
