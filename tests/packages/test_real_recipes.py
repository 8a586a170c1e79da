"""Recipes of other distributions, run by those tools of theirs that Debian has: makepkg and pacman
of Arch Linux, nix-instantiate. Slackware's build script is a shell script and runs here.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Iterator, Set

import pytest

from lightinit import __version__
from tests.lib.chroot import Chroot
from tests.lib.running import run
from tests.lib.scratch import HERE
from tests.packages.built import need

PACMAN = "pacman --config /tmp/pacman.conf --dbpath /tmp/pacman --noconfirm "
NIX = "NIX_STATE_DIR=/tmp/nix/state NIX_STORE_DIR=/tmp/nix/store nix-instantiate "
AS_NOBODY = "setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/tmp/build "


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("mmdebstrap", "unshare", "nsenter", "chroot")
    folder = tmp_path_factory.mktemp("source")
    run(HERE + "/packaging/build-source", "--output", str(folder))
    (found,) = folder.iterdir()
    return found


@pytest.fixture
def machine(request: pytest.FixtureRequest, archive: Path, tmp_path: Path) -> Iterator[Chroot]:
    """A machine with the tools that the test's parameter names; the recipe and the archive of the
    sources are in its /tmp/build.
    """
    with Chroot("bookworm", tmp_path) as chroot:
        chroot.install_stored(request.param)
        run("cp", "-a", HERE + "/packaging/" + request.param, str(chroot.path("/tmp/build")))
        run("cp", str(archive), str(chroot.path("/tmp/build")))
        yield chroot


def listed(machine: Chroot, *arguments: str) -> Set[str]:
    """What packaging/install installs, without the directories."""
    run(HERE + "/packaging/install", "--destdir", str(machine.path("/tmp/wanted")), *arguments)
    found = machine.shell("cd /tmp/wanted; find . ! -type d")
    return {line[1:] for line in found.split()}


def test_two_archives_are_equal(archive: Path, tmp_path: Path) -> None:
    run(HERE + "/packaging/build-source", "--output", str(tmp_path))
    assert (tmp_path / archive.name).read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("machine", ["arch"], indirect=True)
def test_arch(machine: Chroot) -> None:
    machine.install_stored("build")  # make, of Arch's base-devel
    machine.write(
        "/tmp/pacman.conf",
        "[options]\nArchitecture = auto\nSigLevel = Never\nLocalFileSigLevel = Never\n",
    )
    machine.shell("mkdir -p /tmp/pacman; chown -R nobody /tmp/build; cd /tmp/build; "
        + AS_NOBODY + "makepkg --nodeps --nocolor")  # fmt: skip
    names = machine.shell("ls /tmp/build/*.pkg.*").split()
    assert len(names) == 2, names
    said = machine.shell(PACMAN + "-U -dd " + " ".join(names))
    # Packages of Arch Linux enable nothing, and this one says so.
    assert "lightinit: installed, but not enabled" in said and "systemctl enable" in said, said
    assert machine.run("lightinit", "--version") == "lightinit %s\n" % __version__
    owned = {
        line.split(" ", 1)[1]
        for line in machine.shell(PACMAN + "-Ql lightinit lightinit-emulator").splitlines()
        if not line.endswith("/")
    }
    licenses = {
        "/usr/share/licenses/%s/LICENSE" % name for name in ("lightinit", "lightinit-emulator")
    }
    manuals = {path + ".gz" if "/share/man/" in path else path for path in listed(machine)}
    assert owned == manuals | licenses
    assert machine.shell("find /usr/lib/lightinit -name '*.pyc' | wc -l").strip() != "0"
    machine.shell(PACMAN + "-R -dd lightinit lightinit-emulator")
    assert not machine.has("/usr/lib/lightinit") and not machine.has("/usr/bin/lightinit")


EVALUATE = """
let
  lib = {
    mkEnableOption = name: name; mkOption = option: option; literalExpression = text: text;
    mkIf = condition: value: if condition then value else { }; mkDefault = value: value;
    types = { package = "package"; str = "str"; attrsOf = type: type; };
    generators.toINI = { }: builtins.toJSON;
    optionalString = condition: text: if condition then text else "";
    licenses.mit = "MIT"; platforms.linux = "linux";
  };
  names = [ "coreutils" "e2fsprogs" "gnugrep" "gnused" "iproute2" "openssh" "shadow" "systemd"
            "util-linux" "cloud-utils" ];
  pkgs = builtins.listToAttrs (map (name: { inherit name; value = name; }) names) // {
    callPackage = path: overrides: import path ({
      inherit lib;
      stdenvNoCC.mkDerivation = attributes: attributes;
      python3.withPackages = choose:
        "/store/" + builtins.concatStringsSep "+"
          (choose { cryptography = "c"; requests = "r"; pyyaml = "y"; netifaces-plus = "plus"; });
      src = "source";
      withEmulator = true;
    } // overrides);
  };
  package = pkgs.callPackage /tmp/build/package.nix { };
  module = import /tmp/build/module.nix {
    inherit lib pkgs;
    config = {
      services.lightinit = {
        enable = true; inherit package; settings = { network.grace_s = "3"; };
      };
      services.cloud-init.enable = false;
      services.waagent.enable = false;
      users.mutableUsers = true;
    };
  };
in
{
  inherit (package) version installPhase;
  inherit (module.config) assertions security networking;
  settings = module.config.environment.etc."lightinit/lightinit.conf".text;
  path = module.config.systemd.services.lightinit.path;
}
"""


@pytest.mark.parametrize("machine", ["nix"], indirect=True)
def test_nix(machine: Chroot) -> None:
    """Without nixpkgs: both files are evaluated with stand-ins for what they use of it, and the
    phase that comes out is run.
    """
    machine.write("/tmp/evaluate.nix", EVALUATE)
    for name in ("package.nix", "module.nix"):
        machine.shell(NIX + "--parse /tmp/build/%s >/dev/null" % name)
    said = machine.shell(NIX + "--eval --strict --json /tmp/evaluate.nix 2>/tmp/err")
    found = json.loads(said)
    assert found["version"] == __version__ and all(
        each["assertion"] for each in found["assertions"]
    )
    assert json.loads(found["settings"]) == {"network": {"grace_s": "3"}}
    assert "shadow" in found["path"] and found["networking"]["hostName"] == ""
    machine.write("/tmp/phase", "runHook() { :; }\n" + found["installPhase"])
    machine.shell(
        "cd /tmp/build; tar -xf *.tar.gz; cd lightinit-*;"
        " out=/nix/store/x TMPDIR=/tmp/t sh -eu /tmp/phase"
    )
    wanted = {path.replace("/usr/", "/") for path in listed(machine, "--prefix", "/usr")}
    there = machine.shell("cd /nix/store/x; find . ! -type d").split()
    compiled = [path for path in there if path.endswith(".pyc")]
    assert {path[1:] for path in there} - {path[1:] for path in compiled} == wanted
    assert any("/lightinit/modules/__pycache__/users." in path for path in compiled)
    unit = machine.read("/nix/store/x/lib/systemd/system/lightinit.service")
    assert "ExecStart=/store/c+r+y+plus/bin/python3 -I -S -B /nix/store/x/lib/lightinit/" in unit


def test_slackware(archive: Path, tmp_path: Path) -> None:
    """The build script, with a makepkg that only tars, in a namespace whose /sbin has it."""
    build = tmp_path / "build"
    run("cp", "-a", HERE + "/packaging/slackware", str(build))
    run("cp", str(archive), str(build))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "makepkg").write_text(
        '#!/bin/sh\nfor name do :; done\ntar -czf "$name" .\n', encoding="utf-8"
    )
    (tools / "makepkg").chmod(0o755)
    script = (build / "lightinit.SlackBuild").read_text(encoding="utf-8")
    assert "\n/sbin/makepkg -l y -c n " in script
    (build / "lightinit.SlackBuild").write_text(
        script.replace("/sbin/makepkg", str(tools / "makepkg")), encoding="utf-8"
    )
    run(
        "env", "TMP=%s" % (tmp_path / "tmp"), "OUTPUT=%s" % tmp_path, "PYTHON=/usr/bin/python3.9",
        str(build / "lightinit.SlackBuild"),
    )  # fmt: skip
    (package,) = tmp_path.glob("lightinit-*.tgz")
    assert package.name == "lightinit-%s-noarch-1_SBo.tgz" % __version__
    root = tmp_path / "root"
    root.mkdir()
    run("tar", "-xf", str(package), "-C", str(root))
    # installpkg runs doinst.sh in the root.
    said = subprocess.run(
        ["sh", "install/doinst.sh"], cwd=str(root), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=True,
    ).stdout.decode()  # fmt: skip
    assert "rc.M must call /etc/rc.d/rc.lightinit before rc.inet2" in said
    assert (root / "etc/rc.d/rc.lightinit").stat().st_mode & 0o111
    assert (root / "etc/lightinit/lightinit.conf").is_file()
    assert (root / "usr/man/man8/lightinit.8.gz").is_file()
    start = (root / "usr/lib/lightinit/start").read_text(encoding="utf-8")
    assert "/usr/bin/python3.9 -I -S -B " in start
    description = (root / "install/slack-desc").read_text(encoding="utf-8")
    lines = [line for line in description.splitlines() if line.startswith("lightinit:")]
    assert len(lines) == 11 and max(map(len, lines)) <= 80
