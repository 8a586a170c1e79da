"""Run by test_managers_real.py in namespaces of its own: the module packages with the real dnf,
zypper and pacman, in the root of another Debian, whose changes are in memory.

Prints one JSON document: what it saw. The first argument is the root, then the scenario. It starts
itself again inside, with the Python that is there.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from typing import Any, Callable, Dict, List, Sequence

INSIDE = "inside"
SRV = "/srv"
SPEC = """Name: %s
Version: %s
Release: 1
Summary: made for a test
License: MIT
BuildArch: noarch
%%description
Made for a test.
%%install
mkdir -p %%{buildroot}/opt
echo %s >%%{buildroot}/opt/%s
%%files
/opt/%s
"""
PACKAGES: List[Any] = ["li-good", "nosuch", ["li-pinned", "1.0"]]


def call(*argv: str, **more: Any) -> str:
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more
    )
    return ended.stdout.decode("utf-8", "replace").strip()


def must(*argv: str) -> None:
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def enter(root: str, here: str, scenario: str) -> None:
    """Go into the root, and start again there."""
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/mnt")
    for folder in ("upper", "work", "root"):
        os.mkdir("/mnt/" + folder)
    options = "lowerdir=%s,upperdir=/mnt/upper,workdir=/mnt/work" % root
    must("mount", "-t", "overlay", "-o", options, "none", "/mnt/root")
    for folder in ("/srv", "/root", "/tmp", "/run"):
        os.makedirs("/mnt/root" + folder, exist_ok=True)
        must("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/mnt/root" + folder)
    must("mount", "-t", "proc", "none", "/mnt/root/proc")
    must("mount", "--rbind", "/dev", "/mnt/root/dev")
    os.makedirs("/mnt/root/code")
    must("mount", "--bind", here, "/mnt/root/code")
    os.chroot("/mnt/root")
    os.chdir("/code")
    environment = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "PYTHONPATH": "/code"}
    program = "/code/tests/real_tools/namespaced/managers.py"
    os.execve(
        "/usr/bin/python3",
        ["python3", "-B", program, INSIDE, scenario],
        dict(environment, LC_ALL="C"),
    )


def apply(**values: Any) -> Dict[str, Any]:
    """The module's outcome, or its error."""
    from lightinit.errors import LightinitError
    from lightinit.host.system import System
    from lightinit.model import Instance
    from lightinit.modules import packages

    settings: Dict[str, Any] = {"timeout_s": 300.0}
    settings.update(packages.from_cloud_config(values))
    try:
        outcome = packages.apply(Instance("real"), System("/"), settings)
    except LightinitError as error:
        return {"error": str(error)}
    return {"message": outcome.message, "warnings": list(outcome.warnings)}


def hide(names: Sequence[str]) -> None:
    for name in names:
        if os.path.exists("/usr/bin/" + name):
            os.unlink("/usr/bin/" + name)


def make_rpm(name: str, version: str) -> None:
    path = "%s/%s.spec" % (SRV, name)
    with open(path, "w", encoding="ascii") as handle:
        handle.write(SPEC % (name, version, version, name, name))
    must("rpmbuild", "-bb", "--quiet", "--define", "_topdir %s/b" % SRV, path)


def make_rpms() -> str:
    for name, version in (("li-good", "1.0"), ("li-pinned", "1.0"), ("li-pinned", "2.0")):
        make_rpm(name, version)
    return SRV + "/b/RPMS/noarch"


def rpms(update: Callable[[], None], **sources: Any) -> Dict[str, Any]:
    first = apply(packages=PACKAGES, **sources)
    pinned = call("rpm", "-q", "li-pinned")
    again = apply(packages=["li-good"])
    make_rpm("li-good", "3.0")
    update()
    upgraded = apply(package_upgrade=True, package_reboot_if_required=True)
    return {
        "first": first,
        "pinned": pinned,
        "again": again,
        "upgraded": upgraded,
        "state": call("rpm", "-q", "li-good"),
    }


def dnf() -> Dict[str, Any]:
    folder = make_rpms()
    must("createrepo_c", "--quiet", folder)
    repository = {"baseurl": "file://" + folder, "gpgcheck": False, "metadata_expire": 1}
    os.makedirs("/etc/yum.repos.d", exist_ok=True)
    return rpms(
        lambda: must("createrepo_c", "--quiet", "--update", folder), yum_repos={"own": repository}
    )


def zypper() -> Dict[str, Any]:
    folder = make_rpms()
    repository = {"id": "own", "baseurl": "dir://" + folder, "type": "plaindir", "gpgcheck": 0}
    os.makedirs("/etc/zypp", exist_ok=True)
    given = {"repos": [repository], "config": {"solver.onlyRequires": True}}
    # It tells by the second in which the folder has changed, and all this may take less than one.
    return rpms(lambda: os.utime(folder, (2000000000, 2000000000)), zypper=given)


def pacman() -> Dict[str, Any]:
    """Its database is two kinds of archives, which are made here."""
    hide(["dnf", "dnf-3", "zypper"])
    database = SRV + "/own.db"
    described = [make_for_pacman(*each) for each in (("li-good", "1.0-1"), ("li-pinned", "1.0-1"))]
    write_archive(database, dict(described))
    with open("/etc/pacman.conf", "w", encoding="ascii") as handle:
        handle.write("[options]\nArchitecture = auto\n[own]\nSigLevel = Never\n")
        handle.write("Server = file://%s\n" % SRV)
    os.makedirs("/var/lib/pacman", exist_ok=True)
    with open("/var/lib/pacman/db.lck", "w", encoding="ascii"):
        pass  # a run before lost its power
    first = apply(packages=["li-good", "nosuch", ["li-pinned", "1.0-1"]])
    again = apply(packages=["li-good"])
    described[0] = make_for_pacman("li-good", "3.0-1")
    write_archive(database, dict(described))
    os.utime(database, (2000000000, 2000000000))
    upgraded = apply(package_upgrade=True)
    state = call("pacman", "--query")
    return {"first": first, "again": again, "upgraded": upgraded, "state": state}


def make_for_pacman(name: str, version: str) -> Any:
    """Make a package. Returns the name and the text of its description in the database."""
    info = "pkgname = %s\npkgver = %s\npkgdesc = t\narch = any\nsize = 3\n" % (name, version)
    path = "%s/%s-%s-any.pkg.tar.gz" % (SRV, name, version)
    write_archive(path, {".PKGINFO": info, "opt/" + name: "hi\n"})
    fields = {
        "FILENAME": os.path.basename(path),
        "NAME": name,
        "VERSION": version,
        "CSIZE": str(os.path.getsize(path)),
        "ISIZE": "3",
        "ARCH": "any",
    }
    text = "".join("%%%s%%\n%s\n\n" % each for each in fields.items())
    return "%s-%s/desc" % (name, version), text


def write_archive(path: str, files: Dict[str, str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))


SCENARIOS: List[Callable[[], Dict[str, Any]]] = [dnf, zypper, pacman]

if __name__ == "__main__":
    if sys.argv[1] != INSIDE:
        enter(sys.argv[1], os.getcwd(), sys.argv[2])
    print(json.dumps({each.__name__: each for each in SCENARIOS}[sys.argv[2]]()))
