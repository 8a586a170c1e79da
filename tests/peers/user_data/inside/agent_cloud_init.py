"""Debian's cloud-init, with the data in the seed folder of NoCloud."""

from __future__ import annotations

import importlib
import os
import pkgutil
from typing import Any, Callable, List

from tests.peers.user_data.inside.seed import HOSTNAME, INSTANCE_ID, KEY

NAME = "cloud_init"
SEED = "/var/lib/cloud/seed/nocloud/"
META_DATA = "instance-id: %s\nlocal-hostname: %s\npublic-keys: ['%s']\n"
STAGES = (
    ("init", "--local"),
    ("init",),
    ("modules", "--mode=config"),
    ("modules", "--mode=final"),
)
LIMIT = 200000


def prepare() -> None:
    """Import all that a boot may import."""
    for package in ("cloudinit.config", "cloudinit.handlers", "cloudinit.mergers"):
        for each in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module("%s.%s" % (package, each.name))
    for name in ("cmd.main", "sources.DataSourceNoCloud", "distros.debian", "net.eni"):
        importlib.import_module("cloudinit." + name)


def stages(data: bytes) -> List[Callable[[], Any]]:
    """What an init system starts in a boot, in its order."""
    os.makedirs(SEED)
    with open(SEED + "meta-data", "w", encoding="utf-8") as stream:
        stream.write(META_DATA % (INSTANCE_ID, HOSTNAME, KEY))
    with open(SEED + "user-data", "wb") as seeded:
        seeded.write(data)
    return list_stages()


def list_stages() -> List[Callable[[], Any]]:
    """The stages of a boot."""
    main: Any = importlib.import_module("cloudinit.cmd.main")

    def stage(arguments: List[str]) -> Callable[[], Any]:
        return lambda: main.main(["cloud-init"] + arguments)

    return [stage(list(each)) for each in STAGES]


def read_log() -> str:
    """What it has told, without its details."""
    text = ""
    for path in ("/var/log/cloud-init.log", "/var/log/cloud-init-output.log", "/var/log/peers.log"):
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as stream:
                text += "\n%s:\n%s" % (path, stream.read())
    return text[-LIMIT:]
