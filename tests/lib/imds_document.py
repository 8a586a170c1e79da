"""The document of IMDS that the tests read, and variants of it."""

from __future__ import annotations

import copy
from typing import Any, Dict

DOCUMENT: Dict[str, Any] = {
    "compute": {
        "name": "vm-resource",
        "vmId": "13f56399-bd52-4150-9748-7190aae1ff21",
        "location": "westeurope",
        "vmSize": "Standard_B1s",
        "resourceGroupName": "group",
        "subscriptionId": "sub",
        "vmScaleSetName": "",
        "zone": "2",
        "tags": "owner:me;db_password:hunter2",
        "tagsList": [{"name": "owner", "value": "me"}, {"name": "db_password", "value": "hunter2"}],
        "userData": "c2VjcmV0",
        "publicKeys": [
            {"keyData": "ssh-rsa AAAA\r\n me", "path": "/home/azureuser/.ssh/authorized_keys"}
        ],
        "osProfile": {
            "adminUsername": "azureuser",
            "computerName": "host-1",
            "disablePasswordAuthentication": "true",
        },
        "something": {"new": [1, 2.5, None, True]},
    },
    "network": {"interface": [{"macAddress": "000D3AF806EC"}]},
}


def changed(path: str, value: Any) -> Dict[str, Any]:
    """Return the document with another value at a dotted path. ``...`` removes the field."""
    document = copy.deepcopy(DOCUMENT)
    *steps, last = path.split(".")
    here: Any = document
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here[step]
    if value is ...:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return document
