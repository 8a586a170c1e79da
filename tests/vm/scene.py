"""What a test in a virtual machine begins with: an image, its platform, a folder for logs; and what
it ends with.

Everything that was started ends with the scene; the logs stay in build/vm/logs/<image>/<test>.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Type

import pytest

from tests.lib.netns import Namespace
from tests.lib.scratch import HERE, OTHER_UUID, UUID
from tests.vm import disk
from tests.vm.azure import TAP, Azure, Person
from tests.vm.guest import Guest
from tests.vm.image import Image
from tests.vm.layers import FOLDER
from tests.vm.machine import Machine
from tests.vm.qemu import Hardware
from tests.vm.recipe import WATCHER

ALL = os.environ.get("LIGHTINIT_VM") == "all"


def all_or(everything: Sequence[Any], some: Sequence[Any]) -> Sequence[Any]:
    """The parameters of a test: ``everything`` with LIGHTINIT_VM=all, else ``some``, which stand
    for the others.
    """
    return everything if ALL else some


# For tests that one image stands for: the cheapest.
CHEAP = pytest.mark.parametrize("scene", ["bookworm-networkd"], indirect=True)
# What `make test` and `make test-long` show in namespaces or a scratch root, too.
RARE = pytest.mark.skipif(not ALL, reason="only in make vm-test-all")
# Making an RSA key takes an emulated processor up to a minute, so that it is made on this one where
# no test looks at it; lightinit makes the keys of the other types.
RSA_KEY = "/etc/ssh/ssh_host_rsa_key"
KEEP_RSA_KEY = "[module.ssh_host_keys]\nkeep_existing = yes\n"
FIRST = Hardware(UUID, "52:54:00:a2:00:01")
SECOND = Hardware(OTHER_UUID, "52:54:00:a2:00:02")
# An emulated processor on a machine that others use too: what takes 40 s may take many times as
# long.
BOOT_TIMEOUT_S = 900.0


class Scene:
    """One image on one platform.

    Args:
        image: the image.
        test: the test's name, for the folder of logs.
    """

    def __init__(self, image: Image, test: str) -> None:
        self.image = image
        self.folder = FOLDER / "logs" / image.name / test
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> "Scene":
        shutil.rmtree(str(self.folder), ignore_errors=True)
        self.folder.mkdir(parents=True)
        with contextlib.ExitStack() as ends:
            (FOLDER / "work").mkdir(exist_ok=True)
            self._disks = Path(tempfile.mkdtemp(prefix="disks-", dir=str(FOLDER / "work")))
            ends.callback(shutil.rmtree, str(self._disks), ignore_errors=True)
            self.azure = Azure(ends.enter_context(Namespace()), self.folder)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._ends.close()

    def overlay(self, name: str = "disk") -> Path:
        """A disk as the image has it."""
        return disk.lay_over(self.image.disk, self._disks / (name + ".qcow2"))

    def copy(self, source: Optional[Path] = None, name: str = "copy") -> Path:
        """A disk that is a copy of another (of the image's by default), with all of its content."""
        source = source or self.image.disk
        return disk.copy(source, self._disks / (name + source.suffix))

    def changed(self, files: Mapping[str, str]) -> Path:
        """A raw disk as the image has it, but for some files (path -> text), and for an RSA host
        key that lightinit keeps.
        """
        made = self.copy(name="changed")
        key = self.new_key("rsa")
        disk.write(made, {RSA_KEY: key.read_text()}, "0600")
        quick = {
            RSA_KEY + ".pub": key.with_suffix(".pub").read_text(),
            "/etc/lightinit/conf.d/10-quick.conf": KEEP_RSA_KEY,
        }
        disk.write(made, {**quick, **files})
        return made

    def new_key(self, kind: str) -> Path:
        """A new SSH host key of that kind; its public part is beside it, in a file with .pub."""
        path = self.folder / ("host-key-" + kind)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "host", "-f", str(path)], check=True
        )
        return path

    def put_password(self, files: Dict[str, str]) -> str:
        """Among the files of a disk, give the account at the console a password, which is
        returned.
        """
        password = secrets.token_hex(12)
        shadow = disk.read(self.image.disk, "/etc/shadow")
        files["/etc/shadow"] = shadow_with_password(shadow, password)
        return password

    def new_disk(self, tree: Path, size: str) -> Path:
        """A raw ext4 disk with the content of the directory ``tree``, and its name."""
        return disk.make(self._disks / (tree.name + ".raw"), size, tree)

    def scratch(self, name: str) -> Path:
        """A directory that goes with the scene."""
        made = self._disks / name
        made.mkdir()
        return made

    def media(self, *more: str) -> Path:
        """An image of the provisioning media, as the emulator makes it with these options."""
        image = self.folder / "media.iso"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "lightinit.emulator",
                "media",
                "--output",
                str(image),
                "--format",
                "udf",
                *more,
            ],
            cwd=HERE,
            check=True,
            stdout=subprocess.PIPE,
        )
        return image

    def file(self, name: str, text: str) -> str:
        """The path of a file with ``text``, beside the logs."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def person(self, name: str) -> Person:
        """Somebody with a new key."""
        return Person(name, self.folder)

    def machine(
        self,
        root: Path,
        hardware: Hardware,
        kernel_words: Sequence[str] = (),
        devices: Sequence[str] = (),
    ) -> Machine:
        """A machine that is off still."""
        return self._ends.enter_context(
            Machine(
                self.azure.machine,
                TAP,
                self.folder,
                self.image,
                root,
                hardware,
                kernel_words,
                devices,
            )
        )

    def guest(
        self, machine: Machine, hardware: Hardware, person: Person, become_root: str = "sudo -n"
    ) -> Guest:
        """What runs on ``machine``, as ``person`` reaches it."""
        return Guest(self.azure, machine, hardware, person, become_root)


class Checks:
    """Assertions that are all looked at before the test fails: a boot takes too long to see one at
    a time.

    The with block's end fails the test if any did not hold; also when the block is left by an
    exception, with both.
    """

    def __init__(self) -> None:
        self._failed: List[str] = []
        self._when = ""

    def __enter__(self) -> "Checks":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            return  # somebody has interrupted it
        if self._failed:
            ending = ["%sthen: %s" % (self._when, error)] if error is not None else []
            raise AssertionError("\n- ".join(["did not hold:"] + self._failed + ending)) from error

    def begin(self, when: str) -> None:
        """Say what the next assertions are about."""
        self._when = when + ": "

    def that(self, holds: object, what: str, got: object = "") -> bool:
        """Note that ``what`` is wanted, and what was seen in its place, unless ``holds``. Returns
        whether it holds.
        """
        if not holds:
            self._failed.append("%s%s; got: %s" % (self._when, what, str(got)[:3000]))
        return bool(holds)

    def same(self, got: object, wanted: object, what: str) -> bool:
        """Note unless ``got`` equals ``wanted``. Returns whether it does."""
        return self.that(got == wanted, "%s must be %r" % (what, wanted), repr(got))


def shadow_with_password(shadow: str, password: str) -> str:
    """The text of /etc/shadow, with a password for the account that may log in at the console."""
    crypted = (
        subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"],
            input=password.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    lines = [line.split(":") for line in shadow.splitlines()]
    return "".join(
        ":".join([words[0], crypted] + words[2:] if words[0] == WATCHER else words) + "\n"
        for words in lines
    )


class Stopwatch:
    """Wall time of a test's parts, for whoever wonders where it went."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_s = time.monotonic()

    def lap(self, what: str) -> None:
        """Note how long ``what`` took, which ends now."""
        now_s = time.monotonic()
        with self._path.open("a") as log:
            log.write("%7.1f s  %s\n" % (now_s - self._last_s, what))
        self._last_s = now_s
