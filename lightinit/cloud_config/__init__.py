"""The cloud-config of an instance: a second source of settings for the modules."""
