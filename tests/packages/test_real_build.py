"""The packages of both families and `make install` bring the same files, and a build is the same
each time.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import stat
import subprocess
from pathlib import Path
from typing import Dict, Iterator

import pytest

from lightinit import __version__
from tests.lib.chroot import RELEASES, Chroot
from tests.lib.running import run
from tests.packages.built import Built, need, unpack

# What a family adds by its policy. All else is the same.
ADDED = {
    "deb": {
        "lightinit": {
            "/etc/init.d",
            "/etc/init.d/lightinit",
            "/usr/share/doc",
            "/usr/share/doc/lightinit",
            "/usr/share/doc/lightinit/changelog.gz",
            "/usr/share/doc/lightinit/copyright",
            "/usr/share/lintian",
            "/usr/share/lintian/overrides",
            "/usr/share/lintian/overrides/lightinit",
            "/usr/share/python3",
            "/usr/share/python3/runtime.d",
            "/usr/share/python3/runtime.d/lightinit.rtupdate",
        },
        "lightinit-emulator": {
            "/usr/share/doc",
            "/usr/share/doc/lightinit-emulator",
            "/usr/share/doc/lightinit-emulator/changelog.gz",
            "/usr/share/doc/lightinit-emulator/copyright",
            "/usr/share/python3",
            "/usr/share/python3/runtime.d",
            "/usr/share/python3/runtime.d/lightinit-emulator.rtupdate",
        },
    },
    # Fedora names these directories without the version, Debian's rpmbuild with it.
    "rpm": {
        name: {
            "/usr/share/doc",
            "/usr/share/doc/" + name,
            "/usr/share/doc/%s/CHANGELOG.md" % name,
            "/usr/share/licenses",
            "/usr/share/licenses/" + name,
            "/usr/share/licenses/%s/LICENSE" % name,
        }
        for name in ("lightinit", "lightinit-emulator")
    },
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    need("dpkg-buildpackage", "dh_python3", "lintian", "rpmbuild", "rpmlint", "rpm2cpio", "cpio")
    yield Built(tmp_path_factory.mktemp("built"))


def describe(folder: Path) -> Dict[str, str]:
    """Every path of an unpacked package: its kind and mode, its owner, and the content of a file,
    manual pages unpacked.
    """
    found = {}
    for path in folder.rglob("*"):
        name = "/" + str(path.relative_to(folder))
        status = path.lstat()
        assert stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode), name
        content = path.read_bytes() if path.is_file() else b""
        if "/share/man/" in name and name.endswith(".gz"):
            name, content = name[:-3], gzip.decompress(content)
        name = re.sub(
            r"^(/usr/share/(?:doc|licenses)/lightinit(?:-emulator)?)-%s" % re.escape(__version__),
            r"\1",
            name,
        )
        found[name] = "%o %d:%d %s" % (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            hashlib.sha256(content).hexdigest(),
        )
    return found


NAMES = ("lightinit", "lightinit-emulator")


@pytest.mark.parametrize("number, name", list(enumerate(NAMES)))
def test_three_trees_are_the_same(built: Built, tmp_path: Path, number: int, name: str) -> None:
    for family, package in (("deb", built.debs[number]), ("rpm", built.rpms[number])):
        compare(built, package, family, name, tmp_path / family)


def compare(built: Built, package: Path, family: str, name: str, folder: Path) -> None:
    """A package must hold what `make install` installs, and besides only what its family's policy
    adds.
    """
    run(
        "make",
        "-s",
        "-C",
        str(built.source),
        "install",
        "DESTDIR=%s" % (folder / "make"),
        "PACKAGE=" + name,
    )
    wanted = describe(folder / "make")
    assert len(wanted) > 30
    found = describe(unpack(package, folder / "unpacked"))
    assert set(found) - set(wanted) == ADDED[family][name]
    missing = set(wanted) - set(found)
    assert not missing, sorted(missing)
    assert {path: what for path, what in found.items() if path in wanted} == wanted


@pytest.mark.parametrize("release", RELEASES)
def test_a_releases_own_tools_build_the_same(built: Built, tmp_path: Path, release: str) -> None:
    need("mmdebstrap", "unshare", "nsenter", "chroot")
    (tmp_path / "root").mkdir()
    with Chroot(release, tmp_path / "root") as machine:
        machine.install_stored("build")
        run("cp", "-a", str(built.source), str(machine.path("/tmp/source")))
        machine.run("/tmp/source/packaging/build-deb", "--no-lintian", "--output", "/tmp/built")
        for name in NAMES:
            package = machine.path("/tmp/built/%s_%s_all.deb" % (name, __version__))
            compare(built, package, "deb", name, tmp_path / name)


def test_the_linters_ran_and_are_content(built: Built) -> None:
    assert "built: lightinit_%s_all.deb" % __version__ in built.said and not re.search(
        r"^[EW]: ", built.said, re.M
    )


@pytest.mark.parametrize(
    "family, spoil, tag",
    [
        (
            "deb",
            (
                "sed -i 's/^Description: provision.*/Description: A lightinit/'"
                " packaging/debian/control"
            ),
            "description-synopsis-starts-with-article",
        ),
        (
            "rpm",
            (
                "sed -i 's/^Summary:  .*first boot/Summary: lightinit provisions./'"
                " packaging/rpm/lightinit.spec"
            ),
            "summary-ended-with-dot",
        ),
    ],
)
def test_the_linters_end_a_build(
    built: Built, tmp_path: Path, family: str, spoil: str, tag: str
) -> None:
    run("cp", "-a", str(built.source), str(tmp_path / "source"))
    run("sh", "-c", "cd %s && %s" % (tmp_path / "source", spoil))
    ended = subprocess.run(
        ["%s/source/packaging/build-%s" % (tmp_path, family), "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ended.returncode != 0 and tag in ended.stdout.decode()
    assert not list((tmp_path / "out").glob("*.deb")) + list((tmp_path / "out").glob("*.rpm"))


def test_a_build_is_the_same_each_time(built: Built, tmp_path: Path) -> None:
    for family, packages in (("deb", built.debs), ("rpm", built.rpms)):
        run(
            "sh",
            "-c",
            "umask 077; exec %s/packaging/build-%s --output %s --no-%s"
            % (built.source, family, tmp_path, "lintian" if family == "deb" else "rpmlint"),
        )
        for package in packages:
            assert (tmp_path / package.name).read_bytes() == package.read_bytes(), package.name


def test_versions_that_differ_are_refused(built: Built, tmp_path: Path) -> None:
    run("cp", "-a", str(built.source), str(tmp_path / "source"))
    run(
        "sed",
        "-i",
        's/__version__ = .*/__version__ = "9.9.9"/',
        str(tmp_path / "source/lightinit/__init__.py"),
    )
    ended = subprocess.run(
        [str(tmp_path / "source/packaging/build-deb"), "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ended.returncode == 1
    assert (
        b"packaging/debian/changelog says %s, lightinit/__init__.py 9.9.9" % __version__.encode()
        in ended.stdout
    )


def test_what_the_packages_need(built: Built, tmp_path: Path) -> None:
    depends = run("dpkg-deb", "--field", str(built.debs[0]), "Depends")
    assert {part.split()[0] for part in depends.split(",")} == {
        "python3:any",
        "python3-requests",
        "python3-netifaces",
        "python3-cryptography",
    }
    assert run("dpkg-deb", "--field", str(built.debs[1]), "Depends").split()[0] == "python3:any"
    needed = [
        set(run("rpm", "-qp", "--dbpath", str(tmp_path), "--requires", str(path)).splitlines())
        for path in built.rpms
    ]
    assert {
        "python3 >= 3.7",
        "python3-requests",
        "python3-netifaces",
        "python3-cryptography",
    } <= needed[0]
    for name in needed[0] | needed[1]:
        assert "openrc" not in name
    assert not {name for name in needed[1] if name.startswith(("lightinit", "python3-"))}
    for package in built.debs:
        assert run("dpkg-deb", "--field", str(package), "Conflicts").strip() == ""
