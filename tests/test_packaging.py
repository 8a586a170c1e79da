"""What setup.cfg says is what there is: every package and every data file is listed, by hand, since
the list is explicit.
"""

from __future__ import annotations

import configparser
import glob
import os

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
