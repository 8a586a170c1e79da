"""A root with cloud-init and lightinit in it. For each of the two a server in it provisions one new
machine after another.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from lightinit.settings import CORE, MODULE_LISTS
from tests.lib.chroot import Chroot
from tests.lib.scratch import HERE
from tests.peers.user_data.inside.changes import Change

AGENTS = ("cloud_init", "lightinit")
INSIDE = "tests.peers.user_data.inside."
FILES = Path(__file__).parent / "root"
DOCUMENTS = Path(__file__).parent / "documents"
# The release's root has no tzdata.
ZONES = "/usr/share/zoneinfo"
ZONES_WANTED = (ZONES + "/Europe/Berlin", ZONES + "/UTC")
# What of lightinit's modules has nothing to do with user data.
LEFT_OUT = ("entropy", "root_disk", "ephemeral_disk")
# A repository of two packages.
REPOSITORY = """set -e
mkdir -p /srv/repo
cd /tmp
for name in peers-one peers-two; do
    mkdir -p $name/DEBIAN $name/usr/bin
    printf 'Package: %s\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: tests\\n' \\
        $name >$name/DEBIAN/control
    echo "Description: $name" >>$name/DEBIAN/control
    printf '#!/bin/sh\\necho %s\\n' $name >$name/usr/bin/$name
    chmod 755 $name/usr/bin/$name
    dpkg-deb -Znone --root-owner-group --build $name /srv/repo/$name.deb >/dev/null
done
cd /srv/repo
for each in *.deb; do
    dpkg-deb -f $each
    printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' \\
        $each $(stat -c %s $each) $(sha256sum <$each | cut -d' ' -f1)
done >Packages
"""
SITE = "/usr/lib/python3/dist-packages"


class Result:
    """What came of a document.

    Args:
        said: the server's answer.

    Attributes:
        changes: each path that has changed.
        facts: what the machine says of itself, by the command that asked.
        log: what the agent has told.
        statuses: of the agent's processes.
    """

    def __init__(self, said: Dict[str, Any]) -> None:
        self.changes: Dict[str, Change] = said.get("changes", {})
        self.facts: Dict[str, str] = said.get("facts", {})
        self.log: str = said.get("log", "the server died")
        self.statuses: List[int] = said.get("statuses", [])


class Machines(Chroot):
    """A root from which machines are made. Use it in a ``with`` block.

    A subclass may have other AGENTS, of more PACKAGES of the tests.

    Args:
        release: one of RELEASES.
        folder: an empty directory.
        prepared: what the installation of cloud-init has added to the release's root.
    """

    PACKAGES: Tuple[str, ...] = ("tests/peers/user_data/inside",)
    # For each agent the module that knows it.
    AGENTS = {agent: INSIDE + "agent_" + agent for agent in AGENTS}

    def __init__(self, release: str, folder: Path, prepared: Path) -> None:
        super().__init__(release, folder / "place")
        self._prepared, self._more = prepared, folder / "more"
        self._servers: Dict[str, "subprocess.Popen[str]"] = {}
        (folder / "place").mkdir()

    def __enter__(self) -> "Machines":
        shutil.copytree(str(FILES), str(self._more))
        site = str(self._more) + SITE
        skip = shutil.ignore_patterns("__pycache__", "modules")
        shutil.copytree(HERE + "/lightinit", site + "/lightinit", ignore=skip)
        shutil.copytree(HERE + "/modules", site + "/lightinit/modules", ignore=skip)
        for package in self.PACKAGES:
            shutil.copytree(HERE + "/" + package, "%s/%s" % (site, package), ignore=skip)
        shutil.copytree(ZONES, str(self._more) + ZONES, ignore=only(ZONES_WANTED))
        settings = str(self._more) + "/etc/lightinit/conf.d/60-modules.conf"
        Path(settings).write_text(make_settings(), encoding="utf-8")
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        self.run("ip", "link", "set", "lo", "up")
        self.shell(REPOSITORY)
        shutil.copytree(str(self.path("/srv/repo")), str(self._more) + "/srv/repo")
        for number, folder in enumerate(self.lower().split(":")):
            below = str(self._folder / "root/mnt/below" / str(number))
            subprocess.run(
                ["nsenter", "--target", str(self.pid), "--mount", "sh", "-ec"]
                + ['mkdir -p "$2"; mount --bind "$1" "$2"', "sh", folder, below],
                check=True,
            )
        for agent, module in self.AGENTS.items():
            self._servers[agent] = self.run_python(INSIDE + "server", module)
        self._servers["web"] = self.run_python(INSIDE + "web")
        assert self._servers["web"].stdout is not None
        assert self._servers["web"].stdout.readline() == "ready\n"

    def run_python(self, *argv: str) -> "subprocess.Popen[str]":
        """Start a module of PACKAGES inside, with pipes to it."""
        return subprocess.Popen(
            self.command("python3", "-m", *argv),
            env=dict(self.environment(), PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for name, server in self._servers.items():
            assert server.stdin is not None and server.stdout is not None
            server.stdin.close()
            if name == "web":
                server.terminate()
            server.wait(60)
            server.stdout.close()
        super().__exit__(kind, error, trace)

    def lower(self) -> str:
        return "%s:%s:%s" % (self._more, self._prepared, super().lower())

    def provision(self, data: bytes) -> Dict[str, Result]:
        """Provision two new machines with the same data, at once. Returns for each agent what came
        of it.
        """
        for agent in AGENTS:
            stream = self._servers[agent].stdin
            assert stream is not None
            stream.write(base64.b64encode(data).decode("ascii") + "\n")
            stream.flush()
        found = {}
        for agent in AGENTS:
            stream = self._servers[agent].stdout
            assert stream is not None
            found[agent] = Result(json.loads(stream.readline() or "{}"))
        return found


def make_settings() -> str:
    """lightinit's settings: its own modules, but for those that do not depend on user data."""
    options = {each.key: each.default for each in CORE["lightinit"]}
    lists = [
        "%s = %s" % (key, " ".join(name for name in options[key] if name not in LEFT_OUT))
        for key in MODULE_LISTS
    ]
    return "[lightinit]\n%s\n" % "\n".join(lists)


def only(wanted: Tuple[str, ...]) -> Callable[[str, List[str]], List[str]]:
    """For shutil.copytree: all is left out but the paths that are wanted."""

    def ignore(folder: str, names: List[str]) -> List[str]:
        return [
            name
            for name in names
            if not any(each.startswith(os.path.join(folder, name)) for each in wanted)
        ]

    return ignore


def list_documents() -> List[str]:
    """The names of the documents, in order."""
    return sorted(os.listdir(str(DOCUMENTS)))


def read_document(name: str) -> bytes:
    """The user data that a document stands for."""
    data = (DOCUMENTS / name).read_bytes()
    if ".gzip." in name:
        data = gzip.compress(data)
    if ".base64." in name:
        data = base64.b64encode(data)
    return data
