"""What setup.cfg says is what there is: every package and every data file is listed, by hand, since
the list is explicit.
"""

from __future__ import annotations

import configparser
import glob
import os

from lightinit import __version__
from tests.lib.scratch import HERE


def read() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(HERE + "/setup.cfg")
    return found


def test_every_package_is_listed() -> None:
    there = {"lightinit.modules"}
    for folder, _, names in os.walk(HERE + "/lightinit"):
        if "__init__.py" in names and not os.path.islink(folder):
            there.add(os.path.relpath(folder, HERE).replace(os.sep, "."))
    assert set(read()["options"]["packages"].split()) == there


def test_every_data_file_is_listed() -> None:
    listed = set()
    for package, patterns in read()["options.package_data"].items():
        for pattern in patterns.replace(",", " ").split():
            listed |= set(glob.glob("%s/%s/%s" % (HERE, package.replace(".", "/"), pattern)))
    there = {
        os.path.join(folder, name)
        for folder, _, names in os.walk(HERE + "/lightinit")
        for name in names
        if not name.endswith((".py", ".pyc"))
    }
    assert there == listed and len(there) > 10


def test_the_dependencies_are_the_three() -> None:
    wanted = [
        line.split()[0]
        for line in read()["options"]["install_requires"].splitlines()
        if line and line[0] != "#"
    ]
    assert wanted == ["netifaces-plus", "requests", "cryptography"]


def test_no_description_names_one_platform_alone() -> None:
    wanted = {
        "packaging/alpine/APKBUILD": 'pkgdesc="Provisions a Linux VM on its first boot"',
        "packaging/arch/PKGBUILD": 'pkgdesc="Provisions a Linux VM on its first boot"',
        "packaging/debian/control": "Description: provision a Linux VM on its first boot",
        "packaging/gentoo/lightinit-%s.ebuild" % __version__: "Provisions a Linux VM on its first",
        "packaging/nix/package.nix": 'description = "Provisions a Linux VM on its first boot"',
        "packaging/nix/module.nix": "which provisions this VM on its first boot",
        "packaging/rpm/lightinit.spec": "Provisions a Linux VM on its first boot",
        "packaging/slackware/slack-desc": "(provisions a Linux VM on its first boot)",
        "packaging/void/template": 'short_desc="Provisions a Linux VM on its first boot"',
        "systemd/lightinit.service": "Description=Provision this VM (lightinit)",
        "init/openrc/lightinit": 'description="Provisions this VM on its first boot"',
        "init/sysvinit/lightinit": "# Short-Description: Provision this VM on its first boot",
        "setup.cfg": "description = Provisions a Linux VM on its first boot, without cloud-init",
        "README.md": "lightinit provisions a Linux VM on its first boot",
        "docs/man/lightinit.8": ".Nd provision a Linux VM, once per instance",
        "lightinit/grammar.py": '"Provision a Linux VM, once per instance.',
    }
    for name, words in wanted.items():
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            text = file.read()
        assert words in text, name
        assert "a Linux VM on Azure" not in text and "this VM on Azure" not in text, name


def test_a_description_fits_a_terminal() -> None:
    """rpmlint takes 79 characters; it is only run where packages are built."""
    with open(os.path.join(HERE, "packaging/rpm/lightinit.spec"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    described = [at for at, line in enumerate(lines) if line.startswith("%description")]
    assert len(described) == 2
    for at in described:
        end = next(end for end in range(at + 1, len(lines)) if lines[end].startswith("%"))
        assert [line for line in lines[at:end] if len(line) > 79] == []
