"""The accounts that a cloud-config wants besides the platform's admin."""
