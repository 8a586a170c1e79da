"""Each reader of formats/ is in the table of readers: for test_linear.py, and for `make fuzz`."""

from __future__ import annotations

import ast
import os
from typing import Set

from tests.lib.readers.table import FILES
from tests.lib.scratch import HERE

# What reads nothing that others wrote, or is read by a reader of the table.
NOT_READERS = {
    "accounts.new_account": "writes",
    "azure.imds_instance": "in azure.imds",
    "blanks": "in hosts_file and many others",
    "certificates.budget": "in certificates.pkcs12",
    "certificates.ciphers": "in certificates.pkcs12",
    "certificates.pbe": "in certificates.pkcs12",
    "certificates.transport_pair": "writes",
    "cloud_config.places": "compares a path",
    "cloud_config.public_keys": "in cloud_config.schema, and ssh.given_keys",
    "dhcp.dhclient": "by dhcp.clients",
    "dhcp.dhcpcd": "by dhcp.clients",
    "dhcp.keyvalue": "by dhcp.clients",
    "dhcp.networkd": "by dhcp.clients",
    "dhcp.networkmanager": "by dhcp.clients",
    "dhcp.option_bytes": "by dhcp.clients",
    "dhcp.options": "by dhcp.clients",
    "dhcp.udhcpc": "by dhcp.clients",
    "dhcp.wicked": "by dhcp.clients",
    "services.blocks": "in services.time_servers",
}


def formats() -> Set[str]:
    """The modules of formats/, with dots."""
    base = os.path.join(HERE, "lightinit", "formats")
    found = set()
    for folder, _, names in os.walk(base):
        for name in names:
            if name.endswith(".py") and name != "__init__.py":
                path = os.path.relpath(os.path.join(folder, name), base)
                found.add(path[:-3].replace(os.sep, "."))
    return found


def imported(path: str) -> Set[str]:
    """The modules of formats/ that a file imports, with dots."""
    with open(path, encoding="utf-8") as handle:
        nodes = list(ast.walk(ast.parse(handle.read())))
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightinit.formats"):
            below = (node.module or "")[len("lightinit.formats") :].strip(".")
            found |= {below} | {(below + "." + alias.name).strip(".") for alias in node.names}
    return found


def test_the_table_has_each_reader() -> None:
    read = set().union(*(imported(str(each.__file__)) for each in FILES))
    assert formats() - read - set(NOT_READERS) == set()
    assert set(NOT_READERS) - formats() == set()
