"""The scripts in init/ under the real OpenRC, sysvinit, runit and s6: they ask the check, run
lightinit; sshd comes after.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from tests.lib.chroot import Chroot
from tests.lib.scratch import HERE
from tests.packages.built import need

RELEASE = "bookworm"
# The chroot has no network, so this is how far a boot gets.
NO_NETWORK = "[network]\nlease_timeout_s = 0.2\n"
FAILED = "no network before the deadline"
SLOW = "[network]\nlease_timeout_s = 600\n"
TWICE = """rm -f /run/lightinit/status.json
/etc/init.d/lightinit start >/tmp/first 2>&1 &
until grep -qs running /run/lightinit/status.json; do sleep 0.1; done
second=0
/etc/init.d/lightinit start || second=$?
echo "second: $second"
kill "$(sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' /run/lightinit/status.json)"
wait
cat /tmp/first
"""


@pytest.fixture
def chroot(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chroot]:
    """A machine with the init system that the test's parameter names, and lightinit as `make
    install INIT=` puts it.
    """
    need("mmdebstrap", "unshare", "nsenter", "chroot")
    with Chroot(RELEASE, tmp_path) as machine:
        machine.install_stored(request.param)
        subprocess.run(
            [
                sys.executable,
                HERE + "/packaging/install",
                "--destdir",
                str(machine.path()),
                "--package",
                "lightinit",
                "--init",
                request.param,
            ],
            check=True,
        )
        machine.write("/etc/lightinit/conf.d/10-test.conf", NO_NETWORK)
        yield machine


def after(tree: str, service: str) -> List[str]:
    """What comes before ``service`` by OpenRC's tree of dependencies."""
    number = re.findall("depinfo_([0-9]+)_service='%s'" % service, tree)[0]
    return re.findall("depinfo_%s_iafter_[0-9]+='(.*)'" % number, tree)


@pytest.mark.parametrize("chroot", ["openrc"], indirect=True)
def test_openrc(chroot: Chroot) -> None:
    chroot.shell(
        "mkdir -p /run/openrc && touch /run/openrc/softlevel && rc-update add lightinit default"
    )
    said = chroot.run("/etc/init.d/lightinit", "start", wanted=1)
    assert FAILED in said and "Provisioning this VM" in said, said
    # As OpenRC itself understands the order of what is installed.
    tree = chroot.read("/run/openrc/deptree")
    assert "lightinit" in after(tree, "sshd") + after(tree, "ssh"), tree
    assert "networking" in after(tree, "lightinit")
    chroot.write("/etc/lightinit/conf.d/10-test.conf", SLOW)
    said = chroot.shell(TWICE)
    assert "second: " in said and FAILED not in said, said
    chroot.write("/etc/lightinit/disabled", "")
    said = chroot.run("/etc/init.d/lightinit", "start")
    assert "nothing to do: switched off" in said and FAILED not in said


@pytest.mark.parametrize("chroot", ["sysvinit"], indirect=True)
def test_sysvinit(chroot: Chroot) -> None:
    chroot.run("update-rc.d", "lightinit", "defaults")
    links = chroot.shell("ls /etc/rc2.d").split()
    places = {name[3:]: int(name[1:3]) for name in links if name[0] == "S"}
    assert places["lightinit"] < places["ssh"], links
    assert FAILED in chroot.run("service", "lightinit", "start", wanted=1)
    assert "error" in chroot.run("service", "lightinit", "status", wanted=1)
    chroot.write("/etc/lightinit/conf.d/10-test.conf", SLOW)
    said = chroot.shell(TWICE)
    assert "second: 0" in said and FAILED not in said, said
    chroot.write("/etc/lightinit/disabled", "")
    assert "nothing to do: switched off" in chroot.run("service", "lightinit", "start")
    chroot.run("service", "lightinit", "restart")
    assert "Usage" in chroot.run("/etc/init.d/lightinit", "nonsense", wanted=2)


@pytest.mark.parametrize("chroot", ["runit"], indirect=True)
def test_runit(chroot: Chroot) -> None:
    script = """mkdir /tmp/services
ln -s /etc/sv/lightinit /tmp/services/lightinit
export SVDIR=/tmp/services
rm -f /run/lightinit/runit-done
runsvdir /tmp/services >/tmp/log 2>&1 &
for try in $(seq 600); do [ ! -e /run/lightinit/runit-done ] || break; sleep 0.1; done
sv -w 60 check lightinit
cat /tmp/log
sv status lightinit
kill -HUP $!
wait
"""
    said = chroot.shell(script)
    # It waits, so that runit does not start it again.
    assert "ok: run: lightinit" in said and said.count(FAILED) == 1, said
    chroot.write("/etc/lightinit/disabled", "")
    said = chroot.shell("rm -r /tmp/services; " + script)
    assert "nothing to do: switched off" in said and FAILED not in said.split("nothing to do")[1], (
        said
    )


@pytest.mark.parametrize("chroot", ["s6"], indirect=True)
def test_s6(chroot: Chroot) -> None:
    script = """mkdir -p /run/service
ln -s /etc/sv/lightinit /run/service/lightinit
s6-svscan /run/service >/tmp/log 2>&1 &
for try in $(seq 600); do [ ! -e /run/service/.s6-svscan/control ] || break; sleep 0.1; done
# What the run script of the SSH server begins with.
for try in $(seq 600); do ! s6-svwait -U -t 60000 /run/service/lightinit || break; sleep 0.1; done
cat /tmp/log
s6-svstat /run/service/lightinit
s6-svscanctl -t /run/service
wait
"""
    said = chroot.shell(script)
    # It waits, so that s6 does not start it again.
    assert said.count(FAILED) == 1 and " ready " in said, said
    chroot.write("/etc/lightinit/disabled", "")
    said = chroot.shell("rm -r /run/service; " + script)
    assert "nothing to do: switched off" in said and FAILED not in said, said


@pytest.mark.parametrize("chroot", ["s6"], indirect=True)
def test_s6_rc_runs_a_command_line(chroot: Chroot) -> None:
    """Debian has no s6-rc; its definition is read by execlineb, as s6-rc-compile does."""
    definition = HERE + "/init/s6-rc/lightinit/up"
    chroot.write("/tmp/up", Path(definition).read_text(encoding="utf-8"))
    assert FAILED in chroot.run("execlineb", "/tmp/up")


# What `lightinit boot --background` does after Ready: the command ends, and a process goes on.
GOES_ON = """import os, sys, time
assert sys.argv[1:] == ["boot", "--background"], sys.argv
sys.path.insert(0, "/usr/lib/lightinit")
from lightinit.host.init import background
if background.split():
    open("/tmp/began", "w").write(str(os.getpid()))
    print("after Ready", flush=True)
    time.sleep(600)
"""
STARTS = {
    "openrc": """mkdir -p /run/openrc
touch /run/openrc/softlevel
timeout 240 /etc/init.d/lightinit start""",
    "sysvinit": "timeout 240 /etc/init.d/lightinit start",
    "runit": """mkdir /tmp/services; ln -s /etc/sv/lightinit /tmp/services/lightinit
export SVDIR=/tmp/services
runsvdir /tmp/services &
for try in $(seq 600); do [ ! -e /run/lightinit/runit-done ] || break; sleep 0.1; done
sv -w 60 check lightinit""",
    "s6": """mkdir -p /run/service; ln -s /etc/sv/lightinit /run/service/lightinit
s6-svscan /run/service &
for try in $(seq 600); do ! s6-svok /run/service/lightinit || break; sleep 0.1; done
s6-svwait -U -t 60000 /run/service/lightinit""",
}


@pytest.mark.parametrize(
    "chroot, command", [(name, STARTS[name]) for name in STARTS], indirect=["chroot"]
)
def test_what_goes_on_after_ready_holds_up_nothing(chroot: Chroot, command: str) -> None:
    """The init system counts lightinit as started, so it starts sshd, while the rest still runs."""
    chroot.write("/usr/lib/lightinit/lightinit/__main__.py", GOES_ON)
    chroot.write("/usr/lib/lightinit/check", "#!/bin/sh\nexit 0\n")
    chroot.shell(
        "{ %s\n} >/tmp/said 2>&1\n"
        "for try in $(seq 600); do [ ! -s /tmp/began ] || break; sleep 0.1; done\n"
        'kill -0 "$(cat /tmp/began)" && kill "$(cat /tmp/began)"' % command
    )
