"""lightinit, with a datasource that knows the data."""

from __future__ import annotations

import importlib
import os
import pkgutil
from typing import Any, Callable, List

NAME = "lightinit"
LIMIT = 200000
USER_DATA = "/run/user-data"


def prepare() -> None:
    """Import all that a boot may import."""
    skipped = ("lightinit.emulator", "lightinit.__main__", "lightinit.commands")
    for path in importlib.import_module("lightinit").__path__:
        for each in pkgutil.walk_packages([path], "lightinit."):
            if not each.name.startswith(skipped):
                importlib.import_module(each.name)
    importlib.import_module("yaml")
    importlib.import_module("jinja2")


def stages(data: bytes) -> List[Callable[[], Any]]:
    """What an init system starts in a boot."""
    with open(USER_DATA, "wb") as stream:
        stream.write(data)
    os.remove("/usr/bin/cloud-init-per")  # no host without cloud-init has it
    cli: Any = importlib.import_module("lightinit.cli")
    return [lambda: cli.main(["boot"])]


def read_log() -> str:
    """What it has told."""
    with open("/var/log/peers.log", encoding="utf-8", errors="replace") as stream:
        return stream.read()[-LIMIT:]
