"""PAM's configuration, as text."""
