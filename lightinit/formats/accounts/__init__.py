"""Account files, passwords and privilege rules, as text."""
