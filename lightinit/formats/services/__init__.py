"""Files of services and of the host's comforts: language, keyboard, trust, names, time and logs."""
