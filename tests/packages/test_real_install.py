"""The built packages on real Debian releases: installed, upgraded, removed, purged, beside other
agents, in a container.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from lightinit import __version__
from tests.lib.chroot import RELEASES, Chroot
from tests.packages.built import GONE, OLDER, Built, need, unpack

SETTINGS = "/etc/lightinit/lightinit.conf"
MARKER = "/etc/lightinit/disabled"
WANTS = "/etc/systemd/system/multi-user.target.wants/lightinit.service"
ENABLED = (
    "lightinit: enabled; the next boot provisions this machine, if 'lightinit datasources'"
    " finds one for it.\n"
)
# What package managers and the C library write of their own.
NOISE = (
    "/tmp",
    "/run",
    "/root/.rpmdb",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/lib/rpm",
    "/var/log/dpkg.log",
    "/var/log/apt",
    "/var/cache",
    "/var/log/alternatives.log",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[Built, Built]]:
    """This version and the older one."""
    need(
        "dpkg-buildpackage",
        "dh_python3",
        "lintian",
        "rpmbuild",
        "rpmlint",
        "mmdebstrap",
        "unshare",
        "nsenter",
        "chroot",
    )
    yield (
        Built(tmp_path_factory.mktemp("built"), lint=False),
        Built(tmp_path_factory.mktemp("older"), older=True, lint=False),
    )


@pytest.fixture(params=RELEASES)
def chroot(
    request: pytest.FixtureRequest, built: Tuple[Built, Built], tmp_path: Path
) -> Iterator[Chroot]:
    """A machine of a release, with the packages of both versions in its /tmp."""
    with Chroot(request.param, tmp_path) as machine:
        for version in built:
            machine.add(version.debs + version.rpms)
        yield machine


def deb(version: str = __version__, name: str = "lightinit") -> str:
    return "/tmp/%s_%s_all.deb" % (name, version)


def rpm(version: str = __version__, name: str = "lightinit") -> str:
    return "/tmp/%s-%s-1.noarch.rpm" % (name, version)


def bytecode(chroot: Chroot) -> List[str]:
    return [
        path
        for path in chroot.list_all(NOISE)
        if path.startswith("/usr/lib/lightinit") and path.endswith(".pyc")
    ]


def check_no_older_code(chroot: Chroot, built: Tuple[Built, Built], tmp_path: Path) -> None:
    """The private directory has the files of this version, their bytecode, and nothing else."""
    wanted = unpack(built[0].debs[0], tmp_path / "unpacked") / "usr/lib/lightinit"
    files = {str(path)[len(str(tmp_path / "unpacked")) :] for path in wanted.rglob("*")}
    there = {path for path in chroot.list_all(NOISE) if path.startswith("/usr/lib/lightinit/")}
    code = {path for path in there if "/__pycache__" not in path}
    assert code == files
    for path in bytecode(chroot):
        folder, _, name = path.rpartition("/__pycache__/")
        assert "%s/%s.py" % (folder, name.split(".")[0]) in files, path


def differences(before: Dict[str, str], after: Dict[str, str]) -> Dict[str, Tuple[str, str]]:
    """The paths that are not as they were."""
    return {
        path: (before.get(path, "none"), after.get(path, "none"))
        for path in set(before) | set(after)
        if before.get(path) != after.get(path)
    }


def leave_traces(chroot: Chroot) -> None:
    """What lightinit leaves when it has provisioned a machine."""
    for name in (
        "/var/lib/lightinit/instances/1/sem/x",
        "/var/log/lightinit.log",
        "/run/lightinit/status.json",
    ):
        chroot.write(name, "x\n")


def test_installed_it_works(chroot: Chroot) -> None:
    said = chroot.run("dpkg", "-i", deb(), deb(name="lightinit-emulator"))
    assert said.endswith(ENABLED) or ENABLED in said
    assert chroot.run("lightinit", "--version") == "lightinit %s\n" % __version__
    assert "lease_timeout_s" in chroot.run("lightinit", "config")
    chroot.run("lightinit", "status", wanted=3)
    assert chroot.run("systemctl", "is-enabled", "lightinit.service") == "enabled\n"
    assert chroot.has(WANTS) and not chroot.has(MARKER) and not chroot.has("/var/lib/lightinit")
    assert not chroot.has("/etc/lightinit/.first-install")
    assert "good" in chroot.run("lightinit-emulator", "scenarios")
    # Every import that a boot makes is there, by the release's own versions of what lightinit
    # depends on.
    chroot.run(
        "/usr/bin/python3",
        "-I",
        "-c",
        "import sys; sys.path.insert(0, '/usr/lib/lightinit'); import lightinit.boot,"
        " lightinit.datasources.azure.datasource, lightinit.host.network.interfaces,"
        " lightinit.host.network.http,"
        " lightinit.formats.certificates.x509, lightinit.modules.users",
    )
    assert len(bytecode(chroot)) > 50
    for name in ("/usr/lib/lightinit/check", "/usr/lib/lightinit/on-install"):
        assert (
            chroot.path(name).stat().st_mode & 0o7777 == 0o755
            and chroot.path(name).stat().st_uid == 0
        )


def test_the_emulator_alone(chroot: Chroot) -> None:
    chroot.run("dpkg", "-i", deb(name="lightinit-emulator"))
    assert "good" in chroot.run("lightinit-emulator", "scenarios")
    assert not chroot.has("/usr/bin/lightinit") and not chroot.has("/etc/lightinit")


def test_an_upgrade_keeps_the_settings(
    chroot: Chroot, built: Tuple[Built, Built], tmp_path: Path
) -> None:
    chroot.run("dpkg", "-i", deb(OLDER))
    assert chroot.run("lightinit", "--version") == "lightinit %s\n" % OLDER
    edited = chroot.read(SETTINGS) + "[network]\nlease_timeout_s = 77\n"
    chroot.write(SETTINGS, edited)
    chroot.write("/etc/lightinit/conf.d/site.conf", "[network]\ngrace_s = 3\n")
    chroot.run("systemctl", "disable", "lightinit.service")
    leave_traces(chroot)
    said = chroot.run("dpkg", "--force-confold", "-i", deb())
    assert "lightinit: " not in said, "an upgrade asks nothing and decides nothing"
    assert chroot.run("lightinit", "--version") == "lightinit %s\n" % __version__
    assert chroot.read(SETTINGS) == edited and chroot.has("/etc/lightinit/conf.d/site.conf")
    assert chroot.run("systemctl", "is-enabled", "lightinit.service", wanted=1) == "disabled\n"
    assert chroot.has("/var/lib/lightinit/instances/1/sem/x")
    for path in GONE:
        assert not chroot.has(path), path
    assert not [path for path in bytecode(chroot) if "gone" in path]
    check_no_older_code(chroot, built, tmp_path)


def test_removed_it_keeps_what_it_knows(chroot: Chroot) -> None:
    chroot.run("dpkg", "-i", deb())
    edited = chroot.read(SETTINGS) + "# edited\n"
    chroot.write(SETTINGS, edited)
    leave_traces(chroot)
    chroot.run("dpkg", "-r", "lightinit")
    assert chroot.read(SETTINGS) == edited and chroot.has("/var/lib/lightinit/instances/1/sem/x")
    assert not chroot.has("/usr/lib/lightinit") and not chroot.has("/usr/bin/lightinit")
    chroot.run("dpkg", "-i", deb())
    assert chroot.read(SETTINGS) == edited
    assert chroot.run("systemctl", "is-enabled", "lightinit.service") == "enabled\n"


def test_purged_it_leaves_nothing(chroot: Chroot) -> None:
    before = chroot.list_all(NOISE)
    chroot.run("dpkg", "-i", deb(), deb(name="lightinit-emulator"))
    chroot.run("lightinit", "status", wanted=3)
    chroot.run("lightinit-emulator", "scenarios")
    leave_traces(chroot)
    chroot.write(MARKER, "# made-by: lightinit package\n")
    chroot.run("dpkg", "-P", "lightinit", "lightinit-emulator")
    assert not differences(before, chroot.list_all(NOISE))
    assert not chroot.has("/run/lightinit")


def test_purged_it_leaves_what_is_not_its_own(chroot: Chroot) -> None:
    chroot.run("dpkg", "-i", deb())
    chroot.write(MARKER, "mine\n")
    chroot.write("/etc/lightinit/conf.d/site.conf", "")
    chroot.run("dpkg", "-P", "lightinit")
    assert chroot.read(MARKER) == "mine\n" and chroot.has("/etc/lightinit/conf.d/site.conf")


@pytest.mark.parametrize(
    "package, agent", [("cloud-init", "cloud-init"), ("waagent", "walinuxagent")]
)
def test_beside_another_agent(chroot: Chroot, package: str, agent: str) -> None:
    chroot.install_stored(package)
    said = chroot.run("dpkg", "-i", deb())
    assert (
        "lightinit: switched off: %s would provision this machine too." % agent in said
        and ENABLED not in said
    )
    marker = chroot.read(MARKER)
    assert marker.startswith("# made-by: lightinit package\n") and agent in marker
    assert "disabled" in chroot.run("lightinit", "status", wanted=3)
    assert chroot.run("dpkg-query", "-W", "-f", "${Status}", package) == "install ok installed"
    # Whoever takes the marker away has decided; an upgrade does not decide anew.
    chroot.path(MARKER).unlink()
    chroot.run("dpkg", "-i", deb())
    assert not chroot.has(MARKER)
    chroot.write(MARKER, marker)
    chroot.run("dpkg", "-P", "lightinit")
    assert not chroot.has("/etc/lightinit")


@pytest.mark.parametrize("package", ["cloud-init", "waagent"])
def test_beside_another_agent_that_comes_in_the_same_run(chroot: Chroot, package: str) -> None:
    said = chroot.shell(
        "apt-get install -y -q --no-install-recommends %s /srv/%s/*.deb" % (deb(), package)
    )
    assert "lightinit: switched off: " in said and ENABLED not in said, said
    assert chroot.read(MARKER).startswith("# made-by: lightinit package\n")


def test_another_agent_came_while_it_was_away(chroot: Chroot) -> None:
    chroot.run("dpkg", "-i", deb())
    chroot.run("dpkg", "-r", "lightinit")
    chroot.install_stored("cloud-init")
    assert "switched off: cloud-init" in chroot.run("dpkg", "-i", deb())
    assert chroot.has(MARKER)


def test_in_a_container(built: Tuple[Built, Built], tmp_path: Path) -> None:
    with Chroot("bookworm", tmp_path, env={"container": "docker"}) as machine:
        machine.write("/run/systemd/container", "docker\n")
        machine.write("/.dockerenv", "")
        machine.add(built[0].debs)
        assert ENABLED in machine.run("dpkg", "-i", deb())
        assert machine.run("systemctl", "is-enabled", "lightinit.service") == "enabled\n"
        machine.run("lightinit", "status", wanted=3)
        machine.run("dpkg", "-P", "lightinit")


def test_no_service_is_started_or_stopped(chroot: Chroot) -> None:
    # A machine with a running systemd, by what scripts go by; what they ask of it is written down.
    chroot.path("/run/systemd/system").mkdir(parents=True)
    record = '#!/bin/sh\necho "$*" >>/tmp/asked\n'
    chroot.shell("mv /usr/bin/systemctl /usr/bin/systemctl.real")
    chroot.write("/usr/bin/systemctl", record)
    chroot.path("/usr/bin/systemctl").chmod(0o755)
    chroot.run("dpkg", "-i", deb(OLDER))
    chroot.run("dpkg", "-i", "--force-confnew", deb())
    chroot.run("dpkg", "-P", "lightinit")
    asked = set(chroot.read("/tmp/asked").splitlines())
    assert {words for words in asked if "preset" in words}, asked
    assert {words for words in asked if "preset" not in words} <= {
        "--system daemon-reload",
        "daemon-reload",
    }, asked


# -- the other family
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def with_rpm(chroot: Chroot) -> Callable[..., str]:
    """Runs rpm in the chroot, which knows no packages but those that it installs itself."""
    # Families that have rpm have this directory; packages only add to it.
    chroot.path("/usr/share/licenses").mkdir()
    # bookworm's rpm does not install anything without this word, and trixie's does not know it.
    force = ["--force-debian"] if chroot.release == "bookworm" else []

    def run(*arguments: str) -> str:
        return chroot.run("rpm", "--dbpath", "/tmp/rpmdb", "--nodeps", *force, *arguments)

    return run


def test_rpm_installed_and_erased(chroot: Chroot, with_rpm: Callable[..., str]) -> None:
    before = chroot.list_all(NOISE)
    said = with_rpm("-i", rpm(), rpm(name="lightinit-emulator"))
    assert ENABLED in said
    assert chroot.run("lightinit", "--version") == "lightinit %s\n" % __version__
    assert "good" in chroot.run("lightinit-emulator", "scenarios")
    chroot.run("lightinit", "status", wanted=3)
    assert chroot.run("systemctl", "is-enabled", "lightinit.service") == "enabled\n"
    assert len(bytecode(chroot)) > 50
    with_rpm("-e", "lightinit", "lightinit-emulator")
    assert not differences(before, chroot.list_all(NOISE))


def test_rpm_erased_it_keeps_what_it_knows(chroot: Chroot, with_rpm: Callable[..., str]) -> None:
    with_rpm("-i", rpm())
    edited = chroot.read(SETTINGS) + "# edited\n"
    chroot.write(SETTINGS, edited)
    chroot.write(MARKER, "# made-by: lightinit package\n")
    leave_traces(chroot)
    with_rpm("-e", "lightinit")
    assert (
        chroot.read(SETTINGS + ".rpmsave") == edited
        and not chroot.has(SETTINGS)
        and not chroot.has(MARKER)
    )
    assert chroot.has("/var/lib/lightinit/instances/1/sem/x") and chroot.has(
        "/var/log/lightinit.log"
    )
    assert not chroot.has("/run/lightinit") and not chroot.has("/usr/lib/lightinit")


def test_rpm_upgrade(
    chroot: Chroot,
    with_rpm: Callable[..., str],
    built: Tuple[Built, Built],
    tmp_path: Path,
) -> None:
    with_rpm("-i", rpm(OLDER))
    edited = chroot.read(SETTINGS) + "# edited\n"
    chroot.write(SETTINGS, edited)
    chroot.run("systemctl", "disable", "lightinit.service")
    said = with_rpm("-U", rpm())
    assert "lightinit: " not in said
    assert chroot.run("lightinit", "--version") == "lightinit %s\n" % __version__
    assert chroot.read(SETTINGS) == edited and chroot.has(SETTINGS + ".rpmnew")
    assert chroot.run("systemctl", "is-enabled", "lightinit.service", wanted=1) == "disabled\n"
    for path in GONE:
        assert not chroot.has(path), path
    assert bytecode(chroot) and not [path for path in bytecode(chroot) if "gone" in path]
    check_no_older_code(chroot, built, tmp_path)


def test_rpm_goes_by_the_presets(chroot: Chroot, with_rpm: Callable[..., str]) -> None:
    chroot.write("/etc/systemd/system-preset/10-site.preset", "disable lightinit.service\n")
    with_rpm("-i", rpm())
    assert chroot.run("systemctl", "is-enabled", "lightinit.service", wanted=1) == "disabled\n"


def test_rpm_beside_another_agent(chroot: Chroot, with_rpm: Callable[..., str]) -> None:
    chroot.install_stored("cloud-init")
    assert "switched off: cloud-init would provision this machine too" in with_rpm("-i", rpm())
    assert chroot.read(MARKER).startswith("# made-by: lightinit package\n")
    chroot.path(MARKER).unlink()
    with_rpm("-U", "--force", rpm())
    assert not chroot.has(MARKER)
