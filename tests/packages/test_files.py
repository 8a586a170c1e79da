"""packaging/files and packaging/install: every file has its place, and what is installed hangs on
nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Set

import pytest

from lightinit import __version__
from tests.lib.scratch import HERE

SOURCES = ("lightinit", "modules", "systemd", "init", "etc", "docs/man", "packaging")
EXECUTABLE = {
    "/usr/bin/lightinit",
    "/usr/bin/lightinit-emulator",
    "/usr/lib/lightinit/bytecode",
    "/usr/lib/lightinit/check",
    "/usr/lib/lightinit/on-install",
    "/usr/lib/lightinit/start",
    "/usr/lib/lightinit/udhcpc-hook",
}


def install(
    destdir: Path, *arguments: str, tree: str = HERE, wanted: int = 0, umask: int = 0o022
) -> str:
    """Run packaging/install of ``tree``; returns what it said."""
    ended = subprocess.run(
        [tree + "/packaging/install", "--destdir", str(destdir)] + list(arguments),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.umask(umask),
    )
    said = ended.stdout.decode()
    assert ended.returncode == wanted, said
    return said


def modes(destdir: Path) -> Dict[str, int]:
    """Every path below ``destdir``, as the machine sees it, with its mode."""
    return {
        str(path)[len(str(destdir)) :]: path.lstat().st_mode & 0o7777 for path in destdir.rglob("*")
    }


def is_script(path: str) -> bool:
    return path.startswith("/usr/share/lightinit/init/")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources that a test may spoil."""
    copy = tmp_path / "tree"
    for name in SOURCES:
        shutil.copytree(
            "%s/%s" % (HERE, name),
            str(copy / name),
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return copy


def test_everything_has_its_place(tmp_path: Path) -> None:
    install(tmp_path)
    there = modes(tmp_path)
    for name in (
        "bin/lightinit",
        "lib/lightinit/lightinit/__main__.py",
        "lib/lightinit/lightinit/modules/users.py",
        "lib/lightinit/check",
        "lib/systemd/system/lightinit.service",
        "share/man/man8/lightinit.8",
        "lib/systemd/system-preset/90-lightinit.preset",
        "share/lightinit/init/openrc/lightinit",
        "share/bash-completion/completions/lightinit",
        "bin/lightinit-emulator",
        "lib/lightinit-emulator/lightinit/emulator/scenarios/good.json",
    ):
        assert "/usr/" + name in there
    assert "/etc/lightinit/lightinit.conf" in there and "/etc/lightinit/conf.d" in there
    # The agent brings no emulator, the modules once, and no directory what is none.
    assert not [path for path in there if path.startswith("/usr/lib/lightinit/lightinit/emulator")]
    assert not (tmp_path / "usr/lib/lightinit/lightinit/modules").is_symlink()
    assert not [path for path in there if path.startswith("/usr/share/lightinit/init/check")]
    assert not [path for path in there if "__pycache__" in path or path.endswith((".pyc", ".new"))]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_are_the_tables(tree: Path, tmp_path: Path, umask: int) -> None:
    for source in tree.rglob("*"):
        if source.is_file() and not source.is_symlink() and source.parent.name != "packaging":
            source.chmod(0o600 if source.stat().st_mode & 0o100 else 0o777)
    install(tmp_path / "root", tree=str(tree), umask=umask)
    for path, mode in modes(tmp_path / "root").items():
        if (tmp_path / "root" / path[1:]).is_dir() or path in EXECUTABLE:
            assert mode == 0o755, path
        elif is_script(path):
            content = (tmp_path / "root" / path[1:]).read_bytes()
            assert mode == (0o755 if content.startswith(b"#!") else 0o644), path
        else:
            assert mode == 0o644, path


def test_the_packages_share_no_file(tmp_path: Path) -> None:
    found = []
    for package in ("lightinit", "lightinit-emulator"):
        install(tmp_path / package, "--package", package)
        found.append(
            {
                path
                for path in modes(tmp_path / package)
                if not (tmp_path / package / path[1:]).is_dir()
            }
        )
    assert found[0] and found[1] and not found[0] & found[1]


def test_installed_over_an_older_tree(tmp_path: Path) -> None:
    """Code of an older layout goes, and nothing else: neither settings nor a neighbour's files."""
    older = tmp_path / "usr/lib/lightinit"
    gone = [
        older / "lightinit/host/accounts.py",  # is a folder of that name today
        older / "lightinit/host/__pycache__/accounts.cpython-311.pyc",
        older / "lightinit/clients/__init__.py",
        tmp_path / "usr/lib/lightinit-emulator/lightinit/emulator/soundness.py",
    ]
    kept = [
        older / "site.py",
        tmp_path / "usr/lib/lightinit-other/x.py",
        tmp_path / "etc/lightinit/conf.d/site.conf",
    ]
    for path in gone + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old\n", encoding="utf-8")
    (older / "lightinit/link").symlink_to("/nowhere")
    install(tmp_path)
    after = set(modes(tmp_path))
    for path in kept:
        assert path.read_text(encoding="utf-8") == "old\n"
        path.unlink()
    install(tmp_path / "new")
    extra = after - set(modes(tmp_path / "new"))
    assert {path for path in extra if path.startswith("/usr/lib/lightinit")} == {
        "/usr/lib/lightinit/site.py",
        "/usr/lib/lightinit-other",
        "/usr/lib/lightinit-other/x.py",
    }


def test_caches_are_left_out(tree: Path, tmp_path: Path) -> None:
    for folder in ("lightinit/__pycache__", "modules/__pycache__", "init/__pycache__"):
        (tree / folder).mkdir(exist_ok=True)
        (tree / folder / "x.cpython-311.pyc").write_bytes(b"")
        # As a compiler that was killed leaves it.
        (tree / folder / "x.cpython-311.pyc.140").write_bytes(b"")
    (tree / "lightinit/errors.pyc").write_bytes(b"")
    install(tmp_path / "root", tree=str(tree))
    assert not [
        path for path in modes(tmp_path / "root") if ".pyc" in path or "__pycache__" in path
    ]


def test_a_listed_source_that_is_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "docs/man/lightinit.8").unlink()
    said = install(tmp_path / "root", tree=str(tree), wanted=1)
    assert re.search(
        r"packaging/files:\d+: docs/man/lightinit\.8 does not exist; make it, or take the row out",
        said,
    )
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("folder", ["docs/man", "systemd", "init", "modules", "lightinit"])
def test_a_file_that_is_listed_nowhere(tree: Path, tmp_path: Path, folder: str) -> None:
    table = (tree / "packaging/files").read_text(encoding="utf-8")
    (tree / "packaging/files").write_text(
        "\n".join(
            line
            for line in table.splitlines()
            if len(line.split()) < 2 or line.split()[1] != folder + "/"
        ),
        encoding="utf-8",
    )
    (tree / folder / "new.thing").write_text("", encoding="utf-8")
    said = install(tmp_path / "root", tree=str(tree), wanted=1)
    assert "is listed nowhere; add a row to packaging/files" in said and " %s/" % folder in said


def test_a_link_is_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "systemd/link.target").symlink_to("lightinit.service")
    assert "systemd/link.target is a symbolic link" in install(
        tmp_path / "root", tree=str(tree), wanted=1
    )


def test_two_sources_for_one_place(tree: Path, tmp_path: Path) -> None:
    with (tree / "packaging/files").open("a", encoding="utf-8") as table:
        table.write("lightinit modules/users.py PREFIX/lib/lightinit/check 0644\n")
    assert "PREFIX/lib/lightinit/check has two sources" in install(
        tmp_path / "root", tree=str(tree), wanted=1
    )


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local", "/opt/of/ours"])
def test_paths_that_files_name_are_there(tmp_path: Path, prefix: str) -> None:
    install(tmp_path, "--prefix", prefix)
    named: Set[str] = set()
    for place in ("bin", "lib/systemd", "share/lightinit", "lib/lightinit"):
        for path in (tmp_path / prefix[1:] / place).rglob("*"):
            if path.is_file() and path.suffix != ".py":
                named |= set(
                    re.findall(
                        re.escape(prefix) + r"/(?:bin|lib|share)/lightinit[a-z_./-]*[a-z_]",
                        path.read_text(encoding="utf-8"),
                    )
                )
    assert {
        prefix + "/lib/lightinit/check",
        prefix + "/lib/lightinit/lightinit/__main__.py",
    } <= named
    for path_named in named:
        assert (tmp_path / path_named[1:]).exists(), path_named


@pytest.mark.parametrize("bytecode", ["none", "cut off"])
def test_what_is_installed_runs(tmp_path: Path, bytecode: str) -> None:
    """S7: bytecode that was cut off on a full disk stops no start."""
    install(tmp_path)
    if bytecode == "cut off":
        subprocess.run(
            ["/usr/bin/python3", "-I", "-m", "compileall", "-q", str(tmp_path / "usr/lib")],
            check=True,
        )
        for path in tmp_path.rglob("*.pyc"):
            os.truncate(str(path), max(16, path.stat().st_size // 2))
    for name in ("lightinit", "lightinit-emulator"):
        program = tmp_path / "usr/bin" / name
        program.write_text(
            program.read_text(encoding="utf-8").replace('"/usr/lib', '"%s/usr/lib' % tmp_path),
            encoding="utf-8",
        )
    said = subprocess.run(
        ["/usr/bin/python3", "-IBS", str(tmp_path / "usr/bin/lightinit"), "--version"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    assert said == "lightinit %s\n" % __version__
    if bytecode == "cut off":
        return  # the emulator is no part of a boot
    said = subprocess.run(
        ["/usr/bin/python3", "-I", str(tmp_path / "usr/bin/lightinit-emulator"), "scenarios"],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    assert "good" in said


def test_the_python_of_the_package(tmp_path: Path) -> None:
    """N3: one setting for units, init scripts and launchers; none of them takes another Python."""
    install(tmp_path, "--init", "sysvinit", "--python", "/opt/python3.11/bin/python3.11")
    naming = {}
    for path in tmp_path.rglob("*"):
        if path.is_file():
            found = re.findall(rb"(/[a-z0-9./]*/python3[0-9.]*)[ \n]", path.read_bytes())
            naming.update(
                {str(path)[len(str(tmp_path)) :]: set(found) for found in [found] if found}
            )
    assert set.union(*naming.values()) == {b"/opt/python3.11/bin/python3.11"}
    assert {
        "/usr/bin/lightinit",
        "/usr/bin/lightinit-emulator",
        "/usr/lib/lightinit/on-install",
        "/usr/lib/lightinit/start",
        "/usr/lib/systemd/system/lightinit.service",
    } <= set(naming)


def test_all_that_start_python_keep_the_machine_from_it() -> None:
    """S7, N3: no bytecode is written, and neither the environment nor a user's files are read."""
    found = []
    for place in ("systemd", "init", "packaging"):
        for path in sorted(Path(HERE, place).rglob("*")):
            if path.is_file() and path.suffix not in (".md", ".spec") and path.name != "rules":
                for line in path.read_text(encoding="utf-8").splitlines():
                    if re.search(r"^(?!#[^!]).*/usr/bin/python3 -", line):
                        found.append((path.name, line))
    assert len(found) == 6
    for name, line in found:
        words = "".join(re.findall(r" -([A-Z]+)", line))
        assert {"I", "B"} <= set(words), (name, line)
        assert "S" in words or name == "lightinit-emulator", (name, line)


@pytest.mark.parametrize("python", ["python3", "/usr/bin/env python3", "/" + "x" * 200])
def test_a_python_that_no_unit_could_start(tmp_path: Path, python: str) -> None:
    assert "--python wants an absolute path" in install(
        tmp_path / "root", "--python", python, wanted=2
    )


@pytest.mark.parametrize(
    "init, path",
    [
        ("openrc", "/etc/init.d/lightinit"),
        ("sysvinit", "/etc/init.d/lightinit"),
        ("runit", "/etc/sv/lightinit/run"),
        ("bsd", "/etc/rc.d/rc.lightinit"),
        ("s6", "/etc/sv/lightinit/run"),
        ("s6-rc", "/etc/s6/sv/lightinit/up"),
        ("dinit", "/etc/dinit.d/lightinit"),
    ],
)
def test_other_init_systems(tmp_path: Path, init: str, path: str) -> None:
    install(tmp_path, "--init", init, "--prefix", "/opt/of/ours")
    text = (tmp_path / path[1:]).read_text(encoding="utf-8")
    assert modes(tmp_path)[path] == (0o755 if text.startswith("#!") else 0o644)
    # One script decides whether there is anything to do, for all of them.
    assert "/opt/of/ours/lib/lightinit/start" in text and "python" not in text
    install(tmp_path)
    assert "/usr/lib/systemd/system/lightinit.service" in modes(tmp_path)


def test_an_init_system_that_is_not_known(tmp_path: Path) -> None:
    assert "--init knows bsd, dinit, openrc, runit, s6, s6-rc, sysvinit" in install(
        tmp_path / "root", "--init", "upstart", wanted=2
    )


def test_make_passes_on_what_it_is_given(tmp_path: Path) -> None:
    subprocess.run(
        [
            "make",
            "-s",
            "-C",
            HERE,
            "install",
            "DESTDIR=%s" % tmp_path,
            "PREFIX=/usr/local",
            "PYTHON=/usr/bin/python3.11",
            "INIT=openrc",
            "PACKAGE=lightinit",
        ],
        check=True,
    )
    there = modes(tmp_path)
    assert "/usr/local/bin/lightinit" in there and "/etc/init.d/lightinit" in there
    assert "/usr/local/bin/lightinit-emulator" not in there
    unit = (tmp_path / "usr/local/lib/systemd/system/lightinit.service").read_text(encoding="utf-8")
    assert "ExecStart=/usr/bin/python3.11 -I -S -B /usr/local/lib/lightinit/" in unit


def test_the_version_is_one() -> None:
    changelog = Path(HERE, "packaging/debian/changelog").read_text(encoding="utf-8")
    assert changelog.startswith("lightinit (%s) " % __version__)
    spec = Path(HERE, "packaging/rpm/lightinit.spec").read_text(encoding="utf-8")
    assert "global lightinit_version %s}" % __version__ in spec
    assert re.search(r"%%changelog\n\* .* - %s-1\n" % re.escape(__version__), spec)


def test_the_families_need_the_same() -> None:
    wanted = {"python3-requests", "python3-netifaces", "python3-cryptography"}
    control = Path(HERE, "packaging/debian/control").read_text(encoding="utf-8")
    agent = control.split("\n\n")[1]
    said = dict(re.findall(r"^(\w+): (.*)", agent, re.M))
    assert set(re.findall(r"python3-\w+", said["Depends"])) == wanted
    assert said["Recommends"] == "python3-yaml"
    spec = (
        Path(HERE, "packaging/rpm/lightinit.spec")
        .read_text(encoding="utf-8")
        .partition("%package emulator")
    )
    assert set(re.findall(r"^Requires: +(python3-\w+)", spec[0], re.M)) == wanted
    assert "python3-yaml" in "".join(re.findall(r"^Recommends: +(.*)", spec[0], re.M))
    assert not re.findall(r"^Requires: +(python3-\w+|lightinit)", spec[2], re.M)
