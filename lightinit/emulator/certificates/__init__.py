"""Certificates as the platform packs them."""
