"""Finds and reads provisioning media."""
