"""What both agents are told of the machine; and lightinit's datasource for it."""

from __future__ import annotations

INSTANCE_ID = "i-peers"
HOSTNAME = "web-1"
ADMIN = "azureuser"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjYgnKZG2uJTdsHHCdwBBGKVtdGxs2dXQ7vtLFoJ5tQ admin@peers"
