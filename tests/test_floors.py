"""The house's floors hold: a file imports only from floors below its own (docs/architecture.md)."""

from __future__ import annotations

import ast
import os
import sys
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

import pytest

from lightinit.datasources import DATASOURCES

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

GROUND = {"digits", "errors", "gunzip", "libraries", "model", ""}
MIDDLE = GROUND | {
    "retry",
    "settings",
    "formats",
    "host",
    "datasources",
    "marks",
    "state",
}
RUN = MIDDLE | {"registry", "pipeline", "hooks", "stages", "stamp", "result", "boot"}
MAY_IMPORT: Dict[str, Set[str]] = {
    "": set(),
    "digits": set(),
    "errors": set(),
    "gunzip": {"errors"},
    "model": set(),
    "libraries": {"errors"},
    "quick": {""},
    "retry": GROUND,
    "settings": GROUND | {"settings", "quick"},
    "formats": GROUND | {"formats"},
    "host": GROUND | {"host"},
    "datasources": GROUND | {"quick", "retry", "settings", "formats", "host", "datasources"},
    "marks": GROUND | {"settings", "formats", "host"},
    "state": GROUND | {"settings", "formats", "host"},
    "user_data": GROUND | {"formats", "host", "user_data"},
    "cloud_config": GROUND | {"formats", "host", "user_data", "cloud_config"},
    "package_sources": GROUND | {"formats", "host", "package_sources"},
    "login": GROUND | {"formats", "host", "login"},
    "host_keys": GROUND | {"settings", "formats", "host", "login", "host_keys"},
    "accounts": GROUND | {"formats", "host", "login", "accounts"},
    "disks": GROUND | {"formats", "host", "disks"},
    "files": GROUND | {"formats", "host", "files"},
    "modules": GROUND
    | {
        "retry",
        "settings",
        "formats",
        "host",
        "login",
        "package_sources",
        "host_keys",
        "accounts",
        "disks",
        "files",
        "user_data",
    },
    "registry": MIDDLE | {"modules"},
    "pipeline": MIDDLE,
    "hooks": MIDDLE | {"pipeline", "hooks"},
    "stages": MIDDLE
    | {
        "login",
        "accounts",
        "files",
        "cloud_config",
        "registry",
        "pipeline",
        "hooks",
        "stages",
    },
    "stamp": MIDDLE | {"pipeline", "stages"},
    "result": MIDDLE | {"pipeline", "stages", "stamp"},
    "boot": RUN - {"boot"},
    "single": RUN,
    "ending": RUN - {"boot"} | {"ending"},
    "commands": MIDDLE
    | {"user_data", "cloud_config", "registry", "pipeline", "hooks", "stages", "commands"},
    "grammar": GROUND,
    "cli": RUN | {"grammar", "single", "ending", "commands"},
    "__main__": {"quick", "cli", "libraries", "stages", "host", ""},
    "emulator": {"emulator"},
}

# Inside formats and host a subject folder imports its floor's own files, itself, and these.
BESIDE: Dict[str, Set[str]] = {
    "formats.azure": {"accounts"},
    "formats.nocloud": {"cloud_config"},
    "formats.services": {"certificates"},
    "formats.cloud_config": {"accounts", "ssh"},
    "formats.ssh": {"accounts"},
    "host.accounts": {"files"},
    "host.azure": {"files"},
    "host.dhcp": {"init", "network"},
    "host.disks": {"files", "init"},
    "host.packages": {"scripts"},
    "host.media": {"disks"},  # block devices are read in one place
    "host.scripts": {"files", "init"},
    "host.ssh": {"accounts", "files"},
}

# Folders with one kind in each file, and who may import a kind besides itself: the table, which is
# in __init__ unless it is named here, and what is shared.
TABLES: Dict[str, str] = {
    "formats.dhcp": "clients",
    "host.dhcp": "clients",
    "host.init": "table",
}
KINDS: Dict[str, Set[str]] = {
    "formats.dhcp": {"dhclient", "dhcpcd", "networkd", "networkmanager", "udhcpc", "wicked"},
    "host.dhcp": {"dhclient", "dhcpcd", "networkd", "networkmanager", "udhcpc", "wicked"},
    "host.packages.kinds": {
        "apk",
        "apt",
        "dnf",
        "emerge",
        "opkg",
        "pacman",
        "slackpkg",
        "snap",
        "xbps",
        "zypper",
    },
    "datasources": set(DATASOURCES),
    "login": {"dropbear", "sshd", "pam", "root"},
    "user_data": {
        "boothook",
        "cloud_config",
        "containers",
        "ignition",
        "script",
        "unsupported",
        "unknown",
    },
}

# What does not keep the rules yet: (importer, imported). A pair that is no longer needed fails.
EXPECTED_SOON: Set[Tuple[str, str]] = set()


class Source(NamedTuple):
    """One source file: its path, its floor, its dotted name without ``lightinit.``."""

    path: str
    floor: str
    name: str


def files() -> Iterator[Source]:
    for base, prefix in (("lightinit", []), ("modules", ["modules"])):
        for folder, folders, names in os.walk(os.path.join(HERE, base)):
            folders[:] = [
                name
                for name in folders
                if not os.path.islink(os.path.join(folder, name)) and name != "__pycache__"
            ]
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    below = os.path.relpath(path, os.path.join(HERE, base))[:-3].split(os.sep)
                    parts = prefix + [part for part in below if part != "__init__"]
                    yield Source(path, (parts + [""])[0], ".".join(parts))


def is_module(name: str) -> bool:
    """Whether a dotted name without ``lightinit.`` is a file or a folder, and not a name in one."""
    path = os.path.join(HERE, "lightinit", *name.split("."))
    return os.path.isfile(path + ".py") or os.path.isdir(path)


def imports(path: str, dotted: str) -> List[str]:
    """The dotted names of lightinit's own that a file imports, also inside functions, each without
    ``lightinit.`` and as far down as a file.
    """
    with open(path, encoding="utf-8") as handle:
        tree = ast.parse(handle.read(), path)
    package = ["lightinit"] + dotted.split(".")
    if not path.endswith("__init__.py"):
        package.pop()
    found: List[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [part for part in (node.module or "").split(".") if part]
            if node.level:
                base = package[: len(package) - node.level + 1] + base
            found += [".".join(base + [alias.name]) for alias in node.names]
    return [_as_file(name) for name in found if name.split(".")[0] == "lightinit"]


def _as_file(name: str) -> str:
    parts = name.split(".")[1:]
    while parts and not is_module(".".join(parts)):
        parts.pop()
    return ".".join(parts)


def floor_of(name: str) -> str:
    """The floor that an imported name lies on."""
    return name.split(".")[0]


def folder_of(name: str) -> str:
    """The subject folder of a name on the two floors that have them, such as ``host.ssh``; ""
    for a file of the floor itself.
    """
    parts = name.split(".")
    if parts[0] not in ("formats", "host") or len(parts) < 2:
        return ""
    if not os.path.isdir(os.path.join(HERE, "lightinit", parts[0], parts[1])):
        return ""
    return ".".join(parts[:2])


ALL = sorted(files())
EDGES = sorted(
    {(source.name, name) for source in ALL for name in imports(source.path, source.name)}
)


# -- the rules: each says why an import is not allowed, or ""
# --------------------------------------------------------------------------------------------------


def wrong_floor(importer: str, imported: str) -> str:
    floor = floor_of(importer)
    if importer == imported or floor_of(imported) in MAY_IMPORT[floor]:
        return ""
    return "%s is not below %s" % (floor_of(imported) or "lightinit", floor or "lightinit")


def wrong_folder(importer: str, imported: str) -> str:
    mine, other = folder_of(importer), folder_of(imported)
    if not other or mine == other or floor_of(importer) != floor_of(imported):
        return ""
    if mine and other.partition(".")[2] in BESIDE.get(mine, set()):
        return ""
    return "%s does not see %s" % (mine or "a file of the floor", other)


def wrong_cloud(importer: str, imported: str) -> str:
    """A folder with a datasource's name is that datasource's alone, so that another one cannot come
    to depend on it.
    """
    if floor_of(imported) == "emulator":
        return ""  # it plays all of them, and is seen by nobody else
    for cloud in DATASOURCES:
        inside = [part for part in imported.split(".")[:2] if part == cloud]
        if inside and not any(part == cloud for part in importer.split(".")[:2]):
            return "%s belongs to the datasource %s" % (imported, cloud)
    return ""


def wrong_kind(importer: str, imported: str) -> str:
    for folder, kinds in KINDS.items():
        if not imported.startswith(folder + "."):
            continue
        kind = imported[len(folder) + 1 :].split(".")[0]
        table = ".".join([folder, TABLES.get(folder, "")]).rstrip(".")
        own = importer.startswith("%s.%s" % (folder, kind))
        if kind in kinds and not own and importer != table:
            return "the kind %s is imported by its table %s alone" % (imported, table)
    return ""


def wrong_module(importer: str, imported: str) -> str:
    if floor_of(importer) == "modules" and floor_of(imported) == "modules":
        return "modules do not import each other"
    return ""


def wrong_program(importer: str, imported: str) -> str:
    """The reader of media is a program of its own, which must start fast."""
    folder = "host.media.reading"
    if importer.startswith((folder, "host.media.reader")) and not imported.startswith(folder):
        return "the reader imports nothing but %s" % folder
    return ""


RULES = (wrong_floor, wrong_folder, wrong_cloud, wrong_kind, wrong_module, wrong_program)


def complaints(importer: str, imported: str) -> List[str]:
    found = [rule(importer, imported) for rule in RULES]
    return ["%s -> %s: %s" % (importer, imported, text) for text in found if text]


# --------------------------------------------------------------------------------------------------


def test_every_file_has_a_floor() -> None:
    assert len(ALL) > 150
    assert {source.floor for source in ALL} <= set(MAY_IMPORT)


@pytest.mark.parametrize("source", ALL, ids=[source.name or "lightinit" for source in ALL])
def test_imports_keep_the_rules(source: Source) -> None:
    wrong = [
        text
        for name in imports(source.path, source.name)
        if (source.name, name) not in EXPECTED_SOON
        for text in complaints(source.name, name)
    ]
    assert not wrong


def test_what_is_expected_soon_is_still_needed() -> None:
    done = [edge for edge in EXPECTED_SOON if edge not in EDGES or not complaints(*edge)]
    assert not done, "take it out of EXPECTED_SOON"


def test_the_tables_above_name_what_is_there() -> None:
    folders = {folder_of(source.name) for source in ALL}
    assert set(BESIDE) <= folders
    assert {"host." + name for key in BESIDE for name in BESIDE[key] if key[0] == "h"} <= folders
    for folder, kinds in KINDS.items():
        assert not [kind for kind in kinds if not is_module("%s.%s" % (folder, kind))], folder


@pytest.mark.parametrize(
    "importer, imported, says",
    [
        ("formats.ssh.x", "host.system", "host is not below formats"),
        ("errors", "lightinit", "lightinit is not below errors"),
        ("state", "stages.local", "stages is not below state"),
        ("host.disks.x", "host.ssh.sshd", "host.disks does not see host.ssh"),
        ("host.system", "host.ssh.sshd", "a file of the floor does not see host.ssh"),
        ("stages.pool", "formats.azure.ovf", "belongs to the datasource azure"),
        ("stages.local", "datasources.azure.identity", "belongs to the datasource azure"),
        ("modules.users", "host.azure.kvp_pool", "belongs to the datasource azure"),
        ("formats.dhcp.dhcpcd", "formats.dhcp.dhclient", "imported by its table formats.dhcp"),
        ("stages.leases", "host.dhcp.networkd", "imported by its table host.dhcp.clients alone"),
        ("user_data.script", "user_data.cloud_config", "imported by its table user_data alone"),
        ("modules.users", "modules.hostname", "modules do not import each other"),
        ("host.media.reading.files", "host.system", "the reader imports nothing but"),
        ("quick", "errors", "errors is not below quick"),
        ("emulator.cli", "formats.xml", "formats is not below emulator"),
    ],
)
def test_each_rule_sees_a_wrong_import(importer: str, imported: str, says: str) -> None:
    assert any(says in text for text in complaints(importer, imported))


def test_a_wrong_import_is_read_off_the_file(tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "wrong.py")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(
            "def f():\n    from lightinit.datasources import azure\n    from ..host import system\n"
            "    from lightinit import __version__, boot\n    import lightinit.cli\n"
        )
    found = imports(path, "formats.wrong")
    assert found == ["datasources.azure", "host.system", "", "boot", "cli"]
    assert len([name for name in found if complaints("formats.wrong", name)]) == 4


# -- beside lightinit
# --------------------------------------------------------------------------------------------------

# Gone in Python 3.12 and 3.13 (PEP 594 and others), of those that an agent might reach for: crypt
# makes password hashes.
GONE = {
    "crypt",
    "spwd",
    "nis",
    "telnetlib",
    "pipes",
    "cgi",
    "imghdr",
    "uu",
    "imp",
    "asyncore",
    "distutils",
    "pkg_resources",
}


def outsiders(path: str) -> Set[str]:
    """The first part of each name that a file imports, unless it is relative."""
    with open(path, encoding="utf-8") as handle:
        tree = ast.parse(handle.read())
    found: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_no_module_that_newer_pythons_lack() -> None:
    for source in ALL:
        assert not outsiders(source.path) & GONE, source.path


def test_the_emulator_needs_only_the_standard_library() -> None:
    known = set(getattr(sys, "stdlib_module_names", ()))
    if not known:
        pytest.skip("sys.stdlib_module_names came with Python 3.10")
    for source in ALL:
        if source.floor == "emulator":
            assert outsiders(source.path) <= known | {"lightinit"}, source.path


# -- tests
# --------------------------------------------------------------------------------------------------


def imports_from_tests() -> Set[Tuple[str, str]]:
    """Each (importer, imported) where what is imported is a file of tests, and no library."""
    found = set()
    for folder, _, names in os.walk(os.path.join(HERE, "tests")):
        for name in names:
            if not name.endswith(".py"):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as handle:
                tree = ast.parse(handle.read())
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
                    module = str(node.module)
                    for each in [module] + ["%s.%s" % (module, one.name) for one in node.names]:
                        if each.rpartition(".")[2].startswith("test_"):
                            found.add((os.path.relpath(path, HERE), each))
    return found


def test_tests_do_not_import_from_tests() -> None:
    assert imports_from_tests() == set(), "put what is shared into tests/lib"
