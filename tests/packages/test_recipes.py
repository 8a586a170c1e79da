"""The recipes of other distributions: what each of them says, and what its functions install.

Their tools are not to be had here; the functions run in a shell that has what their documentation
promises them. tests/packages/test_real_recipes.py runs the tools that Debian has.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Dict, NamedTuple, Set, Tuple

import pytest

from lightinit import __version__
from tests.lib.scratch import HERE

PYTHON = "/usr/bin/python3.99"


class Recipe(NamedTuple):
    """A recipe.

    Attributes:
        path: below packaging/.
        version: how it says its version.
        init: the init system whose script it installs; "" for none.
        needs: the packages that the agent needs, by their names in that distribution.
    """

    path: str
    version: str
    init: str
    needs: Tuple[str, ...]


RECIPES: Dict[str, Recipe] = {
    "arch": Recipe(
        "arch/PKGBUILD",
        "pkgver=%s\n",
        "",
        ("python", "python-cryptography", "python-netifaces", "python-requests"),
    ),
    "alpine": Recipe(
        "alpine/APKBUILD",
        "pkgver=%s\n",
        "openrc",
        ("python3", "py3-cryptography", "py3-netifaces", "py3-requests", "py3-yaml"),
    ),
    "void": Recipe(
        "void/template",
        "version=%s\n",
        "runit",
        ("python3-cryptography", "python3-netifaces", "python3-requests", "python3-yaml"),
    ),
    "gentoo": Recipe(
        "gentoo/lightinit-%s.ebuild" % __version__,
        "",
        "openrc",
        (
            "dev-python/cryptography",
            "dev-python/netifaces",
            "dev-python/pyyaml",
            "dev-python/requests",
        ),
    ),
    "slackware": Recipe("slackware/lightinit.SlackBuild", "VERSION=${VERSION:-%s}\n", "bsd", ()),
    "nix": Recipe("nix/package.nix", 'version = "%s";\n', "", ()),
}


def text(path: str) -> str:
    return Path(HERE, "packaging", path).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_what_a_recipe_says(name: str) -> None:
    recipe = RECIPES[name]
    said = text(recipe.path)
    assert not recipe.version or recipe.version % __version__ in said
    # Nothing is listed twice: packaging/files says what is installed.
    assert "packaging/install" in said or "make install" in said
    calls = re.findall(r"make install (.*)", said)
    for call in calls:
        assert "PREFIX=" in call and "PYTHON=" in call and "DESTDIR=" in call, call
    agent = [call for call in calls if re.search(r"PACKAGE=lightinit(?!-)", call)]
    if recipe.init and name != "gentoo":
        assert [call for call in agent if "INIT=" + recipe.init in call]
    needed = re.search(r'^\s*depends=[("]([^")]*)[)"]', said, flags=re.M)
    if recipe.needs and needed:
        assert needed.group(1).split() == list(recipe.needs)


# What compiles the bytecode, by the files that a package manager runs. Debian's dh_python3 adds it.
COMPILES = {
    "arch/lightinit.install": ("bytecode compile", 2),
    "alpine/lightinit.post-install": ("bytecode compile", 1),
    "alpine/lightinit.post-upgrade": ("bytecode compile", 1),
    "void/INSTALL": ("bytecode compile", 1),
    "slackware/doinst.sh": ("bytecode compile", 1),
    "gentoo/lightinit-0.1.0.ebuild": ("python_optimize", 1),
    "rpm/lightinit.spec": ("-m compileall", 2),
    "nix/package.nix": ("-m compileall", 1),
    "debian/rules": ("dh_python3 --", 1),
}


@pytest.mark.parametrize("path", sorted(COMPILES))
def test_a_recipe_compiles_bytecode(path: str) -> None:
    """lightinit writes none itself, and without it a first boot takes half as long again."""
    command, times = COMPILES[path]
    assert text(path).count(command) == times


def test_gentoo_and_slackware_need_the_same() -> None:
    ebuild = text(RECIPES["gentoo"].path)
    assert set(re.findall(r"dev-python/\w+", ebuild)) == set(RECIPES["gentoo"].needs)
    info = text("slackware/lightinit.info")
    assert 'VERSION="%s"\n' % __version__ in info
    assert 'REQUIRES="cryptography netifaces"\n' in info  # requests is Slackware's own
    nix = text("nix/package.nix")
    for library in ("cryptography", "requests", "netifaces", "pyyaml"):
        assert "ps.%s " % library in nix


FUNCTIONS = {
    "arch": """srcdir=$1 pkgdir=$2/agent; source "$3"; cd "$srcdir"; package_lightinit
cd "$srcdir"; pkgdir=$2/emulator; package_lightinit-emulator""",
    "alpine": """srcdir=$1 pkgdir=$2/agent subpkgdir=$2/emulator; . "$3"; package; emulator""",
    "void": """vlicense() { :; }
DESTDIR=$2/agent PKGDESTDIR=$2/emulator; source "$3"; cd "$1/lightinit-$version"
do_install; lightinit-emulator_package; pkg_install""",
    "gentoo": """inherit() { :; }; python_gen_cond_dep() { :; }
python_optimize() { :; }; dodoc() { :; }; PYTHON_REQUIRED_USE= PYTHON_DEPS=
emake() { make "$@"; }; use() { [[ $1 = "$USE" ]]; }; keepdir() { mkdir -p "$ED$1"; }
P=lightinit-VERSION EPREFIX= PYTHON=$LIGHTINIT_PYTHON; source "$3"; cd "$1/lightinit-VERSION"
D=$2/agent ED=$2/agent USE=; src_install
[ -e "$2/agent/etc/init.d/lightinit" ]
D=$2/systemd ED=$2/systemd USE=systemd; src_install
[ ! -e "$2/systemd/etc/init.d" ]""",
}
ADDED = {
    "arch": {
        "/usr/share/licenses",
        "/usr/share/licenses/lightinit",
        "/usr/share/licenses/lightinit/LICENSE",
    },
    "alpine": {
        "/etc/udhcpc",
        "/usr/share/licenses",
        "/usr/share/licenses/lightinit",
        "/usr/share/licenses/lightinit/LICENSE",
    },
    "void": {"/etc/sv/lightinit/supervise"},
    "gentoo": set(),
}


def paths(folder: Path) -> Set[str]:
    return {str(path)[len(str(folder)) :] for path in folder.rglob("*")}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_what_its_functions_install(name: str, tmp_path: Path) -> None:
    """The tree is that of packaging/files, by the Python that was chosen."""
    sources = tmp_path / "src"
    sources.mkdir()
    (sources / ("lightinit-" + __version__)).symlink_to(HERE)
    shell = "sh" if name == "alpine" else "bash"
    script = FUNCTIONS[name].replace("VERSION", __version__)
    recipe = RECIPES[name]
    subprocess.run(
        [shell, "-euc", script, shell, str(sources), str(tmp_path)]
        + [str(Path(HERE, "packaging", recipe.path))],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LIGHTINIT_PYTHON": PYTHON},
        check=True,
    )
    wanted = tmp_path / "wanted"
    arguments = ["--destdir", str(wanted), "--package", "lightinit"]
    if recipe.init:
        arguments += ["--init", recipe.init]
    subprocess.run([HERE + "/packaging/install"] + arguments, check=True)
    found, listed = paths(tmp_path / "agent"), paths(wanted)
    # Units have no place where systemd is never found.
    left_out = {path for path in listed if path.startswith("/usr/lib/systemd")}
    if name in ("alpine", "void"):
        listed -= left_out
    extra = {path for path in found - listed if not path.startswith("/etc/udhcpc/")}
    assert not listed - found and extra == ADDED[name]
    if name == "alpine":
        # The hook's name for what happened is its directory, as its first lines say.
        for event in ("post-bound", "post-renew", "post-deconfig"):
            link = tmp_path / "agent/etc/udhcpc" / event / "lightinit"
            assert os.readlink(str(link)) == "/usr/lib/lightinit/udhcpc-hook"
    start = (tmp_path / "agent/usr/lib/lightinit/start").read_text(encoding="utf-8")
    assert "\n%s -I -S -B " % PYTHON in start and "/usr/bin/python3 " not in start
    if name != "gentoo":
        assert (tmp_path / "emulator/usr/bin/lightinit-emulator").exists()


SCRIPTS = """arch/PKGBUILD bash
arch/lightinit.install bash
alpine/APKBUILD sh
alpine/lightinit.post-install sh
alpine/lightinit.post-upgrade sh
alpine/lightinit.pre-deinstall sh
void/template bash
void/INSTALL sh
void/REMOVE sh
gentoo/lightinit-VERSION.ebuild bash
slackware/lightinit.SlackBuild sh
slackware/doinst.sh sh"""


@pytest.mark.parametrize("line", SCRIPTS.replace("VERSION", __version__).splitlines())
def test_a_shell_reads_it(line: str) -> None:
    name, shell = line.split()
    subprocess.run([shell, "-n", str(Path(HERE, "packaging", name))], check=True)


def test_slackware_keeps_what_an_administrator_has(tmp_path: Path) -> None:
    """doinst.sh: settings and `chmod -x` stay over an upgrade; a new file lies beside them."""
    conf, script = tmp_path / "etc/lightinit", tmp_path / "etc/rc.d/rc.lightinit"

    def install(settings: str) -> None:
        for folder in (conf, script.parent, tmp_path / "usr/lib/lightinit"):
            folder.mkdir(parents=True, exist_ok=True)
        (conf / "lightinit.conf.new").write_text(settings, encoding="utf-8")
        new = script.parent / "rc.lightinit.new"
        new.write_text("#!/bin/sh\n# %s" % settings, encoding="utf-8")
        new.chmod(0o755)
        asked = tmp_path / "usr/lib/lightinit/on-install"
        asked.write_text('#!/bin/sh\necho "$1" >>asked\n', encoding="utf-8")
        asked.chmod(0o755)
        doinst = Path(HERE, "packaging/slackware/doinst.sh")
        subprocess.run(["sh", str(doinst)], cwd=str(tmp_path), check=True)

    install("a = 1\n")
    assert (conf / "lightinit.conf").read_text(encoding="utf-8") == "a = 1\n"
    assert not (conf / "lightinit.conf.new").exists() and script.stat().st_mode & 0o111
    (conf / "lightinit.conf").write_text("a = 2\n", encoding="utf-8")
    script.chmod(0o644)
    install("a = 3\n")
    assert (conf / "lightinit.conf").read_text(encoding="utf-8") == "a = 2\n"
    assert (conf / "lightinit.conf.new").read_text(encoding="utf-8") == "a = 3\n"
    assert not script.stat().st_mode & 0o111
    assert not (script.parent / "rc.lightinit.new").stat().st_mode & 0o111
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "%s\n" % tmp_path
