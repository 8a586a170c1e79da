"""The command seed: its images are read back by tools that are not ours."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from lightinit.emulator.cli import main
from tests.emulator.tools import need, run
from tests.lib.scratch import HERE

KEY = "ssh-ed25519 AAAA ada@desk"
USER_DATA = "#cloud-config\n"


def seed(folder: Path, *words: str) -> str:
    """Run the command; the path of what it wrote."""
    output = str(folder / "seed")
    (folder / "user").write_text(USER_DATA)
    (folder / "keys").write_text("# mine\n%s\n" % KEY)
    assert main(["seed", "--output", output, "--user-data", str(folder / "user"), *words]) == 0
    return output


def files_of(folder: str) -> Dict[str, bytes]:
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                found[os.path.relpath(file.name, folder)] = file.read()
    return found


def test_a_folder_for_nocloud(tmp_path: Path) -> None:
    (tmp_path / "net").write_text("version: 2\n")
    words = ["--format", "folder", "--ssh-key", str(tmp_path / "keys"), "--host-name", "web"]
    output = seed(tmp_path, *words, "--network-config", str(tmp_path / "net"))
    files = files_of(output)
    assert sorted(files) == ["meta-data", "network-config", "user-data"]
    meta_data = json.loads(files["meta-data"].decode())
    assert (meta_data["local-hostname"], meta_data["public-keys"]) == ("web", [KEY])
    assert files["user-data"] == USER_DATA.encode()
    assert stat.S_IMODE(os.stat(output).st_mode) == 0o700
    (tmp_path / "user2").write_text("#!/bin/sh\n")
    other = str(tmp_path / "other")
    words = ["--format", "folder", "--output", other, "--user-data", str(tmp_path / "user2")]
    assert main(["seed", *words]) == 0
    changed = json.loads(files_of(other)["meta-data"].decode())
    assert changed["instance-id"] != meta_data["instance-id"], "a changed seed is a new instance"
    assert main(["seed", *words]) == 1, "the folder is not empty"


def test_a_folder_for_configdrive(tmp_path: Path) -> None:
    (tmp_path / "motd").write_text("hello\n")
    words = ["--platform", "configdrive", "--format", "folder", "--host-name", "web.example.org"]
    words += ["--ssh-key", str(tmp_path / "keys"), "--vendor-data", str(tmp_path / "user")]
    files = files_of(seed(tmp_path, *words, "--file", "/etc/motd=%s" % (tmp_path / "motd")))
    latest = {name: data for name, data in files.items() if name.startswith("openstack/latest/")}
    meta_data = json.loads(latest["openstack/latest/meta_data.json"].decode())
    assert (meta_data["name"], meta_data["hostname"]) == ("web", "web.example.org")
    assert meta_data["public_keys"] == {"key-0": KEY} and meta_data["keys"][0]["data"] == KEY
    assert meta_data["files"] == [{"content_path": "/content/0000", "path": "/etc/motd"}]
    assert files["openstack/content/0000"] == b"hello\n"
    assert latest["openstack/latest/user_data"] == USER_DATA.encode()
    vendor_data = json.loads(latest["openstack/latest/vendor_data.json"].decode())
    assert vendor_data == {"cloud-init": USER_DATA}
    assert files["openstack/2018-08-27/user_data"] == USER_DATA.encode()


@pytest.mark.parametrize(
    "platform, label, name",
    [
        ("nocloud", "cidata", "user-data"),
        ("configdrive", "config-2", "openstack/latest/user_data"),
    ],
)
def test_images(tmp_path: Path, platform: str, label: str, name: str) -> None:
    need("genisoimage", "7z", "blkid", "mkfs.vfat", "mtype")
    image = seed(tmp_path, "--platform", platform)
    assert run("7z", "x", "-so", image, name) == USER_DATA.encode()
    shown = run("blkid", "-p", "-o", "export", image).decode()
    assert "TYPE=iso9660" in shown and "LABEL=%s\n" % label in shown
    image = seed(tmp_path, "--platform", platform, "--format", "vfat", "--label", label.upper())
    assert run("mtype", "-i", image, "::/" + name) == USER_DATA.encode()
    shown = run("blkid", "-p", "-o", "export", image).decode()
    assert "TYPE=vfat" in shown and "LABEL=%s\n" % label.upper() in shown
    assert stat.S_IMODE(os.stat(image).st_mode) == 0o600
    assert sorted(os.listdir(str(tmp_path))) == ["keys", "seed", "user"]


@pytest.mark.parametrize(
    "words, told",
    [
        (["--user-data", "missing"], "cannot read missing"),
        (["--meta-data", "{}/x", "--host-name", "a"], "leave --host-name out"),
        (["--file", "/a={}/x"], "NoCloud has no files"),
        (["--platform", "configdrive", "--file", "a=x"], "expected /PATH"),
        (["--platform", "configdrive", "--instance-id", "iid-1"], "is no UUID"),
        (["--platform", "configdrive", "--meta-data", "{}/x"], "no JSON"),
        (["--platform", "configdrive", "--network-config", "{}/x"], "no JSON"),
        (["--label", "cidata"], "a folder has no label"),
        (["--format", "vfat", "--label", "a-long-label"], "expected 1 to 11"),
        (["--format", "iso9660", "--label", "a b"], "expected 1 to 32"),
        (["--instance-id", ""], "--instance-id is empty"),
        (["--host-name", "a b"], "is no host name"),
        (["--ssh-key", "{}/private"], "is a private key"),
        (["--ssh-key", "{}/empty"], "has no public key"),
        (["--ssh-key", "{}/x"], "line 1 has no public key"),
        (["--output", "{}/none/seed", "--format", "iso9660"], "cannot write the image"),
    ],
)
def test_wrong_arguments(tmp_path: Path, capsys: Any, words: Any, told: str) -> None:
    words = [word.replace("{}", str(tmp_path)) for word in words]
    (tmp_path / "x").write_text("x\n")
    (tmp_path / "private").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "empty").write_text("\n")
    assert main(["seed", "--output", str(tmp_path / "out"), "--format", "folder", *words]) == 1
    said = capsys.readouterr().err
    assert told in said and said.startswith("lightinit-emulator: ")
    assert not (tmp_path / "out").exists()


def test_no_tool_says_what_to_install(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lightinit.emulator", "seed", "--output", str(tmp_path / "seed")]
    ended = subprocess.run(
        words, cwd=HERE, env={"PATH": str(tmp_path)}, stderr=subprocess.PIPE, check=False
    )
    assert ended.returncode == 1
    assert b"install genisoimage or xorriso or mkisofs" in ended.stderr
