"""The module packages with package managers that are scripts: what it asks of them, and what it
makes of their answers. tests/real_tools has the real apt.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock
from lightinit.host.init import power
from lightinit.host.packages.kinds import MANAGERS, NAMED, apt, find_manager, slackpkg
from lightinit.host.packages.run import LOCK_PAUSE_S
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import packages
from tests.lib.package_host import PackageHost

DPKG = "/var/lib/dpkg/status"
QUERY = 'case $3 in have*) echo "installed 1.0";; *) exit 1;; esac\n'
MISSING = """for each; do
    case $each in no*) echo "Reading package lists..."; \
echo "E: Unable to locate package $each"; exit 100;; esac
done
"""


class SkippingClock(Clock):
    """The true time, but long pauses take none."""

    def __init__(self) -> None:
        self.skipped: List[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + sum(self.skipped)

    def sleep(self, duration_s: float) -> None:
        if duration_s < 1.0:
            super().sleep(duration_s)
        else:
            self.skipped.append(duration_s)


def apply(system: System, timeout_s: float = 60.0, **values: Any) -> Outcome:
    settings: Dict[str, Any] = {"timeout_s": timeout_s}
    settings.update(packages.from_cloud_config(values))
    return packages.apply(Instance("id"), system, settings)


def debian(root: Path, script: str = MISSING, **more: Any) -> PackageHost:
    host = PackageHost(root, **more)
    host.put("apt-get", script, DPKG)
    host.put("dpkg")
    host.put("dpkg-query", QUERY)
    return host


def words(host: PackageHost, program: str = "apt-get") -> List[str]:
    """What the program was called with, without the options that all calls have."""
    options = " ".join(apt.OPTIONS) + " "
    return [
        line.replace(options, "").partition(" ")[2]
        for line in host.called
        if line.split(" ")[0] == program
    ]


def test_lists_are_fetched_and_all_installed_at_once(tmp_path: Path) -> None:
    host = debian(tmp_path)
    outcome = apply(host, packages=["git", ["nginx", "1.22-3"], "git", {"apt": ["curl"]}])
    assert outcome == Outcome(
        "2 of 2 packages installed with apt-get, 1 of 1 packages installed with apt-get"
    )
    assert words(host) == [
        "-o APT::Update::Error-Mode=any update",
        "install git nginx=1.22-3",
        "install curl",
    ]
    assert host.called[0] == "dpkg --force-confdef --force-confold --configure -a"


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    nothing: List[Dict[str, Any]] = [{}, {"packages": []}, {"package_update": False}]
    for values in nothing:
        assert apply(PackageHost(tmp_path / str(len(str(values)))), **values).skipped


def test_update_and_upgrade(tmp_path: Path) -> None:
    host = debian(tmp_path)
    assert apply(host, package_upgrade=True).message == "packages upgraded with apt-get"
    assert words(host)[1:] == ["dist-upgrade"]
    assert apply(host, package_update=True).message == "package lists fetched with apt-get"


def test_one_that_is_missing_does_not_cost_the_others(tmp_path: Path) -> None:
    host = debian(tmp_path)
    outcome = apply(host, packages=["git", "nosuch", "curl", "nothere"])
    assert outcome.message == "2 of 4 packages installed with apt-get"
    assert outcome.warnings == (
        "package nosuch is not installed: E: Unable to locate package nosuch",
        "package nothere is not installed: E: Unable to locate package nothere",
    )
    assert words(host)[1:] == [
        "install git nosuch curl nothere",
        "install git",
        "install nosuch",
        "install curl",
        "install nothere",
    ]


def test_what_is_there_although_the_manager_failed_is_no_warning(tmp_path: Path) -> None:
    """apt-get fails for each package as long as the script of one of them fails."""
    failed = (
        'case "$*" in *install*) echo "dpkg: error processing package broken (--configure):";'
        ' echo " its script ended with 1"; echo "E: Sub-process /usr/bin/dpkg returned an error";'
        " exit 100;; esac\n"
    )
    host = debian(tmp_path, failed)
    outcome = apply(host, packages=["have1", "broken", ["have2", "1.0"], ["have3", "2.0"]])
    why = "dpkg: error processing package broken (--configure): its script ended with 1"
    assert outcome.warnings == (
        "package broken is not installed: " + why,
        "package have3 (2.0) is not installed: " + why,
    )


def test_without_lists_and_packages_the_next_boot_tries_again(tmp_path: Path) -> None:
    broken = "echo \"E: Failed to fetch http://u:geheim@m/d  Could not resolve 'm'\"; exit 100\n"
    with pytest.raises(ProvisioningError) as caught:
        apply(debian(tmp_path / "a", broken), packages=["git"])
    assert caught.value.reason == "packages cannot be installed"
    assert "Could not resolve" in str(caught.value) and "geheim" not in str(caught.value)
    outcome = apply(debian(tmp_path / "b", broken), packages=["have", "git"])
    assert [each.split(":")[0] for each in outcome.warnings] == [
        "package lists cannot be fetched",
        "package git is not installed",
    ]


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    locked = (
        'test -e "$said.free" || { : >"$said.free"; echo "E: Could not get lock /var/lib/apt.'
        ' It is held by process 1 (apt)"; exit 100; }\n'
    )
    clock = SkippingClock()
    outcome = apply(debian(tmp_path, locked, clock=clock), packages=["git"])
    assert outcome == Outcome("1 of 1 packages installed with apt-get")
    assert clock.skipped == [LOCK_PAUSE_S]


def test_a_lock_for_ever_is_told(tmp_path: Path) -> None:
    clock = SkippingClock()
    host = debian(tmp_path, 'echo "E: Could not get lock /x."; exit 100\n', clock=clock)
    with pytest.raises(ProvisioningError, match="another process has the lock of apt-get"):
        apply(host, timeout_s=3600.0, packages=["git"])
    assert 600 < sum(clock.skipped) < 1800


def test_one_that_hangs_is_killed(tmp_path: Path) -> None:
    class Clock1(Clock):
        """An hour passes when it hangs."""

        def monotonic(self) -> float:
            return super().monotonic() + 3600.0 * (tmp_path / "called.hangs").exists()

    host = debian(tmp_path, 'case "$*" in *install*) : >"$said.hangs"; sleep 600;; esac\n')
    host.clock = Clock1()
    outcome = apply(host, timeout_s=3600.0, packages=["have", "git"])
    assert outcome.warnings == (
        "package git is not installed: apt-get took too long, and was killed",
    )


def test_no_manager_is_told(tmp_path: Path) -> None:
    outcome = apply(PackageHost(tmp_path), packages=["git"], package_upgrade=True)
    (warning,) = outcome.warnings
    assert warning.startswith("no package manager is here, so nothing is installed; known are: apt")


def test_a_manager_that_is_named_and_not_there(tmp_path: Path) -> None:
    host = debian(tmp_path)
    outcome = apply(host, packages=["git", {"snap": ["lxd"], "dnf": ["vim"]}])
    assert outcome.warnings == ("snap is not here: lxd", "dnf is not here: vim")
    host.put("snap", "", "/var/lib/snapd/state.json")
    assert apply(host, packages=[{"snap": ["a", ["b", "--edge"]]}]).warnings == ()
    assert words(host, "snap") == [
        "wait system seed.loaded",
        "install a",
        "install b --channel=latest/edge",
    ]


def test_a_manager_that_is_named_is_enough(tmp_path: Path) -> None:
    host = PackageHost(tmp_path)
    host.put("snap", "", "/var/lib/snapd/state.json")
    outcome = apply(host, packages=[{"snap": ["a"]}])
    assert outcome == Outcome("1 of 1 packages installed with snap")
    (warning,) = apply(host, packages=["b", {"snap": ["a"]}]).warnings
    assert warning.startswith("no package manager is here")


def test_configuration_alone_fetches_no_lists(tmp_path: Path) -> None:
    host = debian(tmp_path)
    host.write("/etc/apt/sources.list", b"")
    outcome = apply(host, apt={"conf": 'A "b";'}, apt_pipelining=False)
    assert outcome.message.endswith("the configuration of their manager is written")
    assert words(host) == ["indextargets"]
    source = {"source": "deb http://a b c"}
    assert apply(host, apt={"sources": {"a": source}}).message == (
        "package lists fetched with apt-get"
    )


def test_no_password_of_a_url_is_told(tmp_path: Path) -> None:
    host = debian(tmp_path, 'case "$*" in *install*) exit 1;; esac\n')
    (warning,) = apply(host, packages=["https://u:geheim@h/x.deb"]).warnings
    assert warning == "package https://***@h/x.deb is not installed: apt-get ended with status 1"


def test_a_scratch_root_gets_no_packages(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    assert not apply(system, packages=["git"]).warnings and system.skipped == ["packages"]


def test_the_output_is_in_the_log_file_only(tmp_path: Path) -> None:
    seen: List[logging.LogRecord] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    handler = Collecting()
    logger = logging.getLogger("lightinit.packages")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        apply(debian(tmp_path, "echo Unpacking a\n"), packages=["a"])
    finally:
        logger.removeHandler(handler)
    console = [each.getMessage() for each in seen if not getattr(each, "only_file", False)]
    assert console == ["packages: installing 1 with apt-get"]
    assert "apt-get: Unpacking a" in [each.getMessage() for each in seen]


OTHERS = [
    ("dnf", "dnf", "/var/lib/rpm/rpmdb.sqlite", ["-y makecache", "-y install a b-1.0"]),
    (
        "zypper",
        "zypper",
        "/etc/zypp/repos.d/oss.repo",
        [
            "--non-interactive refresh",
            "--non-interactive install --auto-agree-with-licenses a b=1.0",
        ],
    ),
    (
        "apk",
        "apk",
        "/lib/apk/db/installed",
        [
            "--wait 60 --no-progress fix",
            "--wait 60 --no-progress update",
            "--wait 60 --no-progress add a b=1.0",
        ],
    ),
    (
        "xbps",
        "xbps-install",
        "/var/db/xbps/pkgdb-0.38.plist",
        ["--sync --yes", "--sync --yes a b-1.0"],
    ),
    (
        "pacman",
        "pacman",
        "/var/lib/pacman/local/bash-5/desc",
        [
            "--sync --refresh --noconfirm --noprogressbar --color never",
            "--sync --needed --noconfirm --noprogressbar --color never a b=1.0",
        ],
    ),
    (
        "emerge",
        "emerge",
        "/var/db/pkg/app-shells/bash",
        [
            "--ask=n --quiet --color=n --nospinner --sync",
            "--ask=n --quiet --color=n --nospinner --noreplace a =b-1.0",
        ],
    ),
    ("opkg", "opkg", "/var/lib/opkg/status", ["configure", "update", "install a b"]),
    (
        "slackpkg",
        "slackpkg",
        "/var/log/packages/a-1-noarch-1",
        [
            "-dialog=off -batch=on -default_answer=y -postinst=off update",
            "-dialog=off -batch=on -default_answer=y -postinst=off install a b",
        ],
    ),
]


@pytest.mark.parametrize("name, program, sign, calls", OTHERS, ids=[each[0] for each in OTHERS])
def test_each_manager(tmp_path: Path, name: str, program: str, sign: str, calls: Any) -> None:
    host = PackageHost(tmp_path)
    host.put("apt-get")  # it is installed, and has no packages
    host.put(program, "", sign)
    found = find_manager(host)
    assert found is not None and found.name == name
    outcome = apply(host, packages=["a", ["b", "1.0"]])
    assert words(host, program) == calls
    assert bool(outcome.warnings) == (name in ("opkg", "slackpkg"))


def test_the_table_has_each_manager() -> None:
    assert {each.name for each in MANAGERS} == {"apt"} | {each[0] for each in OTHERS}
    assert [each.name for each in NAMED] == ["snap"]


def test_zypper_tells_by_its_status_that_a_restart_is_required(tmp_path: Path) -> None:
    host = PackageHost(tmp_path)
    script = 'case "$*" in *update|*needs-rebooting) exit 102;; esac\n'
    host.put("zypper", script, "/etc/zypp/repos.d/oss.repo")
    outcome = apply(host, package_upgrade=True, package_reboot_if_required=True)
    assert outcome == Outcome("packages upgraded with zypper")
    assert power.find_wish(host) is not None


def test_slackpkg_does_not_say_what_it_has_not_found(tmp_path: Path) -> None:
    """The script that looks is run by the true shell, on another folder."""
    host = PackageHost(tmp_path)
    host.put("slackpkg", "echo No packages match the pattern for install.\n", "/var/log/packages/x")
    folder = host.path("/var/log/packages")
    script = slackpkg.INSTALLED.replace("/var/log/packages", folder)
    host.put("sh", "/bin/sh -c '%s' \"$3\"\n" % script.replace("'", "'\\''"))
    host.write("/var/log/packages/git-2.30-x86_64-1", b"")
    host.write("/var/log/packages/vim-gvim-9.0-x86_64-1", b"")
    outcome = apply(host, packages=["git", "vim", "vim-gvim", "nosuch"])
    assert outcome.warnings == tuple(
        "package %s is not installed: No packages match the pattern for install." % name
        for name in ("vim", "nosuch")
    )


def test_xbps_is_renewed_first(tmp_path: Path) -> None:
    host = PackageHost(tmp_path)
    script = """case "$*" in
*xbps) : >"$said.renewed" ;;
*) test -e "$said.renewed" || exit 16 ;;
esac
"""
    host.put("xbps-install", script, "/var/db/xbps/pkgdb-0.38.plist")
    assert apply(host, packages=["git"]).warnings == ()
    assert "--sync --yes --update xbps" in words(host, "xbps-install")


def test_one_that_is_there_already_in_its_version(tmp_path: Path) -> None:
    """xbps-install then ends with EEXIST, rpm and pacman tell the version in their ways."""
    host = PackageHost(tmp_path)
    script = 'case "$*" in *git*) exit 17;; esac\n'
    host.put("xbps-install", script, "/var/db/xbps/pkgdb-0.38.plist")
    host.put("xbps-query", "echo $3-2.30_1\n")
    outcome = apply(host, packages=["git", ["git", "2.30_1"], ["git", "2.31_1"]])
    assert outcome.warnings == (
        "package git (2.31_1) is not installed: xbps-install ended with status 17",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: it sees what others have open")
def test_a_stale_lock_of_pacman_is_removed_and_a_held_one_stays(tmp_path: Path) -> None:
    host = PackageHost(tmp_path)
    lock = "/var/lib/pacman/db.lck"
    script = 'test ! -e "${said%/*}' + lock + '" || exit 1\n'
    host.put("pacman", script, "/var/lib/pacman/local/a")
    host.write(lock, b"")
    with open(host.path(lock), "rb"):
        with pytest.raises(ProvisioningError):
            apply(host, packages=["git"])
        assert host.exists(lock)
    assert apply(host, packages=["git"]).warnings == ()


# -- restarting
# --------------------------------------------------------------------------------------------------

RESTARTS: Any = {"packages": ["git"], "package_reboot_if_required": True}


def test_a_restart_only_if_it_is_required(tmp_path: Path) -> None:
    host = debian(tmp_path)
    assert apply(host, **RESTARTS).warnings == ()
    host.write("/run/reboot-required", b"")
    assert apply(host, package_update=True).warnings == () and power.find_wish(host) is None
    assert apply(host, **RESTARTS).warnings == ()
    wish = power.find_wish(host)
    assert wish is not None and (wish.mode, wish.by) == ("reboot", "packages")


def test_what_does_not_tell_is_a_warning(tmp_path: Path) -> None:
    host = PackageHost(tmp_path)
    host.put("apk", "", "/lib/apk/db/installed")
    assert "nothing here tells whether a restart is required" in apply(host, **RESTARTS).warnings[0]


@pytest.mark.parametrize(
    "program, script, answer",
    [
        ("dnf", "case $1 in needs*) echo Reboot is required to fully use; exit 1;; esac\n", True),
        ("dnf", "case $1 in needs*) echo No such command: needs-restarting; exit 1;; esac\n", None),
        ("dnf", "", False),
        ("zypper", "case $1 in needs*) exit 102;; esac\n", True),
        ("zypper", "", False),
    ],
)
def test_how_others_tell(tmp_path: Path, program: str, script: str, answer: Any) -> None:
    from lightinit.host.packages.reboot import is_required

    host = PackageHost(tmp_path)
    host.put(program, script, {"dnf": "/var/lib/rpm/x"}.get(program, "/etc/zypp/repos.d/a.repo"))
    manager = find_manager(host)
    assert manager is not None and is_required(host, manager, False) is answer
    assert is_required(host, manager, True), "the modules of the running kernel have gone"
