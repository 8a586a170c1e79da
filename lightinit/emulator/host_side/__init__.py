"""The parts of the platform that are not network services: media and key-value pairs."""
