"""Accounts, passwords and privileges on the machine."""
