"""The .deb where systemd is not: what it says that it enables is enabled, by the init system's own
tools; an upgrade, a removal and a purge leave what they should.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List

import pytest

from lightinit import __version__
from tests.lib.chroot import Chroot
from tests.lib.running import run
from tests.lib.scratch import HERE
from tests.packages.built import need

DEB = "/tmp/lightinit_%s_all.deb" % __version__
SCRIPT = "/etc/init.d/lightinit"
ENABLED = (
    "lightinit: enabled; the next boot provisions this machine, if 'lightinit datasources'"
    " finds one for it.\n"
)
NO_NETWORK = "[network]\nlease_timeout_s = 0.2\n"
FAILED = "no network before the deadline"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("dpkg-buildpackage", "dh_python3", "mmdebstrap", "unshare", "nsenter", "chroot")
    folder = tmp_path_factory.mktemp("built")
    run(HERE + "/packaging/build-deb", "--output", str(folder), "--no-lintian")
    (deb,) = folder.glob("lightinit_*.deb")
    return deb


@pytest.fixture
def machine(request: pytest.FixtureRequest, package: Path, tmp_path: Path) -> Iterator[Chroot]:
    """A machine with the init system that the test's parameter names, and without systemd."""
    with Chroot("bookworm", tmp_path) as chroot:
        chroot.run("dpkg", "--purge", "systemd")
        chroot.install_stored(request.param)
        chroot.add([package])
        chroot.write("/etc/lightinit/conf.d/10-test.conf", NO_NETWORK)
        yield chroot


def links(machine: Chroot) -> List[str]:
    return machine.shell("ls -d /etc/rc?.d/* || true").split()


@pytest.mark.parametrize("machine", ["sysvinit"], indirect=True)
def test_sysvinit(machine: Chroot) -> None:
    assert ENABLED in machine.run("dpkg", "-i", DEB)
    for level in "2345":
        names = sorted(path for path in links(machine) if path.startswith("/etc/rc%s.d/S" % level))
        order = [path.partition(".d/S")[2][2:] for path in names]
        assert order.index("lightinit") < order.index("ssh"), order
    assert FAILED in machine.run("service", "lightinit", "start", wanted=1)
    # Switched off by hand, and upgraded.
    machine.run("update-rc.d", "lightinit", "disable")
    machine.run("dpkg", "-i", DEB)
    assert not [path for path in links(machine) if ".d/S" in path and "lightinit" in path]
    # Removed, the script stays as configuration, and does nothing.
    machine.run("dpkg", "-r", "lightinit")
    assert machine.run("sh", SCRIPT, "start") == ""
    machine.run("dpkg", "-P", "lightinit")
    assert not machine.has(SCRIPT) and not [p for p in links(machine) if "lightinit" in p]


@pytest.mark.parametrize("machine", ["openrc"], indirect=True)
def test_openrc(machine: Chroot) -> None:
    assert ENABLED in machine.run("dpkg", "-i", DEB)
    assert machine.has("/etc/runlevels/default/lightinit")
    machine.shell("mkdir -p /run/openrc && touch /run/openrc/softlevel")
    assert FAILED in machine.shell("rc-service lightinit start || true")
    # As OpenRC understands the LSB header of the script: this makes it read all of them.
    machine.shell("rc-status -a")
    tree = machine.read("/run/openrc/deptree")
    (number,) = re.findall("depinfo_([0-9]+)_service='ssh'", tree)
    assert "lightinit" in re.findall("depinfo_%s_iafter_[0-9]+='(.*)'" % number, tree), tree
    machine.run("dpkg", "-P", "lightinit")
    assert not machine.has("/etc/runlevels/default/lightinit") and not machine.has(SCRIPT)


@pytest.mark.parametrize("machine", ["runit"], indirect=True)
def test_runit(machine: Chroot) -> None:
    """Debian's runit runs the init scripts that have no service of its own."""
    assert ENABLED in machine.run("dpkg", "-i", DEB)
    assert FAILED in machine.shell("/lib/runit/run_sysv_scripts /etc/rc2.d || true")
    # Without it nothing follows the links, and the package says so.
    machine.shell("dpkg --purge lightinit; dpkg --purge --force-depends runit")
    said = machine.run("dpkg", "-i", DEB)
    assert "lightinit: installed, but not enabled" in said and ENABLED not in said, said
    assert "/usr/share/lightinit/init" in said
