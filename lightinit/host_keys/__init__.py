"""The SSH host keys of an instance: one file for each server, for the module ssh_host_keys."""
