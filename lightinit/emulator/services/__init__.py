"""The platform's HTTP services: WireServer, IMDS and HostGAPlugin."""
