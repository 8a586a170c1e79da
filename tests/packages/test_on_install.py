"""packaging/on-install: whether a machine on which lightinit was just installed is lightinit's to
provision.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lib.scratch import HERE

MARKER = "etc/lightinit/disabled"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root with lightinit installed, systemd, and nothing else."""
    root = tmp_path / "root"
    subprocess.run(
        [HERE + "/packaging/install", "--destdir", str(root), "--package", "lightinit"], check=True
    )
    (root / "usr/lib/systemd/systemd").touch(mode=0o755)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "lightinit.service").symlink_to("/usr/lib/systemd/system/lightinit.service")
    return root


def add_waagent(root: Path) -> None:
    """WALinuxAgent as its packages leave it: a program, a unit, enabled."""
    for name in ("usr/sbin/waagent", "usr/lib/systemd/system/walinuxagent.service"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("#\n", encoding="utf-8")
        (root / name).chmod(0o755)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    (wants / "walinuxagent.service").symlink_to("/usr/lib/systemd/system/walinuxagent.service")


def run(root: Path) -> str:
    """Run on-install as a package does; it must end well, and says all that it says on standard
    error.
    """
    ended = subprocess.run(
        [str(root / "usr/lib/lightinit/on-install"), str(root)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert ended.returncode == 0 and ended.stdout == b""
    assert (
        sorted(
            path.name for path in (root / "etc/lightinit").iterdir() if path.name.startswith(".")
        )
        == []
    )
    return ended.stderr.decode()


def test_nobody_else(machine: Path) -> None:
    assert run(machine) == (
        "lightinit: enabled; the next boot provisions this machine, if 'lightinit datasources'"
        " finds one for it.\n"
    )
    assert not (machine / MARKER).exists()


@pytest.mark.parametrize(
    "program, command",
    [
        ("usr/lib/systemd/systemd", "systemctl enable lightinit.service"),
        ("sbin/openrc-run", "rc-update add lightinit default"),
        ("usr/bin/runsvdir", "/usr/share/lightinit/init"),
    ],
)
def test_it_says_enabled_only_if_it_is(machine: Path, program: str, command: str) -> None:
    """A package that enables nothing says so, and what to do."""
    (machine / "etc/systemd/system/multi-user.target.wants/lightinit.service").unlink()
    (machine / "usr/lib/systemd/systemd").unlink()
    (machine / program).parent.mkdir(parents=True, exist_ok=True)
    (machine / program).touch(mode=0o755)
    said = run(machine)
    assert said.startswith("lightinit: installed, but not enabled") and command in said
    assert not (machine / MARKER).exists()


@pytest.mark.parametrize(
    "link, runner",
    [
        ("etc/rc2.d/S03lightinit", "lib/init/rc"),
        ("etc/rc2.d/S03lightinit", "lib/runit/run_sysv_scripts"),
        ("etc/runlevels/default/lightinit", "sbin/openrc"),
    ],
)
def test_enabled_without_systemd(machine: Path, link: str, runner: str) -> None:
    """A link is not enough: something must follow it. update-rc.d makes links everywhere."""
    (machine / "usr/lib/systemd/systemd").unlink()
    (machine / link).parent.mkdir(parents=True)
    (machine / link).symlink_to("/etc/init.d/lightinit")
    assert run(machine).startswith("lightinit: installed, but not enabled")
    (machine / runner).parent.mkdir(parents=True, exist_ok=True)
    (machine / runner).touch(mode=0o755)
    assert run(machine).startswith("lightinit: enabled; ")


def test_beside_another_agent(machine: Path) -> None:
    add_waagent(machine)
    said = run(machine)
    assert said.startswith(
        "lightinit: switched off: walinuxagent would provision this machine too.\n"
    )
    assert "wrote /etc/lightinit/disabled" in said
    assert (
        "remove walinuxagent, then run 'lightinit generalize'" in said
        and "remove /etc/lightinit/disabled" in said
    )
    lines = (machine / MARKER).read_text(encoding="utf-8").splitlines()
    assert (
        lines[0] == "# made-by: lightinit package"
        and "walinuxagent" in lines[1]
        and "generalize" in lines[2]
    )
    assert (machine / MARKER).stat().st_mode & 0o777 == 0o644


def test_a_marker_that_is_there_stays(machine: Path) -> None:
    add_waagent(machine)
    (machine / MARKER).write_text("mine\n", encoding="utf-8")
    assert "stays switched off: /etc/lightinit/disabled exists" in run(machine)
    assert (machine / MARKER).read_text(encoding="utf-8") == "mine\n"


def test_a_marker_that_is_a_dangling_link_stays(machine: Path) -> None:
    (machine / MARKER).symlink_to("/nowhere")
    assert "stays switched off" in run(machine)
    assert (machine / MARKER).is_symlink()


def test_python_cannot_tell(machine: Path) -> None:
    (machine / "usr/lib/lightinit/lightinit/host/init/agents.py").write_text(
        "raise RuntimeError('broken')\n", encoding="utf-8"
    )
    said = run(machine)
    assert "RuntimeError: broken" in said
    assert (
        "switched off: whether another agent provisions this machine could not be found out."
        in said
    )
    assert "make sure that there is none" in said
    assert (
        (machine / MARKER).read_text(encoding="utf-8").startswith("# made-by: lightinit package\n")
    )


def test_the_marker_cannot_be_written(machine: Path) -> None:
    add_waagent(machine)
    library = machine / "usr/lib/lightinit"
    (machine / "etc/lightinit").rename(machine / "etc/elsewhere")
    (machine / "etc/lightinit").write_text("in the way\n", encoding="utf-8")
    ended = subprocess.run(
        [str(library / "on-install"), str(machine)], check=False, stderr=subprocess.PIPE
    )
    assert ended.returncode == 0
    assert (
        b"could not be written" in ended.stderr
        and b"systemctl disable lightinit.service" in ended.stderr
    )


def test_nothing_is_compiled(machine: Path) -> None:
    run(machine)
    assert not list(machine.rglob("__pycache__"))
