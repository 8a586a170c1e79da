"""The metadata of OpenStack's Nova, as they are on a config drive and at the metadata service."""
