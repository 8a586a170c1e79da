"""Tests in virtual machines: only with LIGHTINIT_VM=1 (what stands for the rest, on few images) or
LIGHTINIT_VM=all (everything, on six images of Debian and every kind of distribution), as `make
vm-test` and `make vm-test-all` set it; `make test` passes them over.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Dict, Generator, Iterator, List

import pytest

from lightinit import __version__
from tests.lib.netns import find_tool
from tests.lib.scratch import HERE
from tests.vm.image import Image, build
from tests.vm.kinds import KINDS
from tests.vm.kinds.image import build as build_kind
from tests.vm.machine import last_lines
from tests.vm.scene import Scene
from tests.vm.table import Row, table

if os.environ.get("LIGHTINIT_VM", "") in ("", "0"):
    collect_ignore_glob = ["test_*.py"]

TOOLS = (
    "ip",
    "unshare",
    "qemu-system-x86_64",
    "qemu-img",
    "mmdebstrap",
    "mke2fs",
    "debugfs",
    "dnsmasq",
    "ssh",
    "ssh-keygen",
    "genisoimage",
    "cloud-localds",
    "ssh-keyscan",
    "openssl",
    "sfdisk",
    "mkfs.ntfs",
    "ntfscp",
)


def missing() -> List[str]:
    """Why these tests cannot run here; empty when they can."""
    return (
        (["root is needed for images and network namespaces"] if os.geteuid() else [])
        + ["not installed here: %s" % name for name in TOOLS if find_tool(name) is None]
        + ([] if package().exists() else ["no package at %s: make deb" % package()])
    )


def package() -> Path:
    """The built package."""
    return Path(HERE) / "build" / "packages" / ("lightinit_%s_all.deb" % __version__)


@pytest.fixture(scope="session")
def images() -> Dict[str, Image]:
    """The images that were built in this session."""
    reasons = missing()
    if reasons and os.environ.get("CI") == "true":
        pytest.fail("in CI nothing is skipped: " + "; ".join(reasons))
    if reasons:
        pytest.skip("; ".join(reasons))
    return {}


@pytest.fixture
def scene(request: pytest.FixtureRequest, images: Dict[str, Image]) -> Iterator[Scene]:
    """An image by its name, which is the parameter, on a platform of its own."""
    name = request.param
    if name not in images:
        images[name] = (
            build_kind(KINDS[name], package()) if name in KINDS else build(name, package())
        )
    test = request.node.name.partition("[")[0][len("test_") :] + "".join(
        "-" + value for value in request.node.callspec.id.split("-") if value not in name.split("-")
    )
    with Scene(images[name], test) as scene:
        request.node.user_properties.append(("folder", str(scene.folder)))
        yield scene


@pytest.fixture
def row(request: pytest.FixtureRequest, scene: Scene) -> Iterator[Row]:
    """The row of the scene's image in the table at the end."""
    name, began_s = scene.image.name, time.monotonic()
    made = Row(name, KINDS[name].stands_for if name in KINDS else "Debian: systemd, sshd, sudo")
    yield made
    request.node.user_properties.append(("row", made.text(time.monotonic() - began_s)))


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Each of two workers begins with a half of the tests. The second half begins with the other
    release, so that neither worker waits until the other has built its image.
    """
    trixie = [item for item in items if "trixie" in item.name]
    rest = [item for item in items if item not in trixie]
    half = len(items) // 2
    items[:] = rest[:half] + trixie + rest[half:]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what each distribution could do."""
    reports = [each for some in terminalreporter.stats.values() for each in some]
    properties = [pair for each in reports for pair in getattr(each, "user_properties", [])]
    rows = {text for name, text in properties if name == "row"}
    if rows:
        terminalreporter.section("distributions")
        for line in table(rows):
            terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, None]:
    """Show where a failed test's logs are, and how its console ended."""
    report = (yield).get_result()
    folders = [value for key, value in item.user_properties if key == "folder"]
    if report.failed and folders:
        log = Path(str(folders[-1])) / "console.log"
        report.sections.append(
            ("the console's last lines; all of it: %s" % log, "\n".join(last_lines(log)))
        )
