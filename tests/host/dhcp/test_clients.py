"""A client is one file and one line of the table on each floor: for reading, and for renewing."""

from __future__ import annotations

import importlib
import os
from typing import List, Set

import pytest

from lightinit.formats.dhcp.clients import READERS, load_reader
from lightinit.host.dhcp.clients import CLIENTS, known_clients
from tests.lib.imports import imports_of
from tests.lib.scratch import HERE

NAMES = [client.name for client in CLIENTS]
FLOORS = ("formats", "host")


def sources(floor: str) -> List[str]:
    """The names of the source files in the floor's folder ``dhcp``."""
    folder = os.path.join(HERE, "lightinit", floor, "dhcp")
    return sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))


def kinds_imported_by(floor: str, name: str) -> Set[str]:
    """The clients whose files on this floor one of its files imports."""
    package = "lightinit.%s.dhcp" % floor
    path = os.path.join(HERE, "lightinit", floor, "dhcp", name + ".py")
    found = imports_of(path)
    return {kind for kind in NAMES if "%s.%s" % (package, kind) in found} - {name}


def test_both_tables_have_the_same_clients() -> None:
    assert list(READERS) == NAMES and len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("floor", FLOORS)
def test_each_client_has_a_file_which_only_the_table_names(floor: str) -> None:
    assert set(NAMES) <= set(sources(floor))
    named = {name: kinds_imported_by(floor, name) for name in sources(floor)}
    by_name = floor == "formats"  # when there is a file of the client
    assert named.pop("clients") == (set() if by_name else set(NAMES))
    assert named == dict.fromkeys(named, set())


@pytest.mark.parametrize("name", NAMES)
def test_each_row_is_of_its_own_file(name: str) -> None:
    reader = importlib.import_module("lightinit.formats.dhcp." + name)
    client = importlib.import_module("lightinit.host.dhcp." + name)
    assert load_reader(name) is reader.read_leases
    assert CLIENTS[NAMES.index(name)] is client.CLIENT


def test_each_client_has_lease_files_and_processes_that_are_no_others() -> None:
    patterns = [place.pattern for client in CLIENTS for place in client.places]
    processes = [comm for client in CLIENTS for comm in client.processes]
    assert all(client.places and client.processes for client in CLIENTS)
    assert len(set(patterns)) == len(patterns) and len(set(processes)) == len(processes)
    assert all(len(comm) <= 15 for comm in processes), "the kernel cuts them"


def test_a_message_names_all_clients() -> None:
    assert known_clients() == "systemd-networkd, NetworkManager, dhclient, dhcpcd, udhcpc or wicked"


def test_an_import_of_another_client_is_seen(tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "wrong.py")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write("def f():\n    from lightinit.host.dhcp import udhcpc, client\n")
    assert "lightinit.host.dhcp.udhcpc" in imports_of(path)
