"""lightinit and Debian's cloud-init, each on a machine of its own, find the same seed or metadata
service of the emulator by themselves. Afterwards all is compared: as with user data, and what
templates say of the instance.

A difference is listed in docs/datasources.md, with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from tests.lib.chroot import RELEASES
from tests.lib.scratch import HERE
from tests.peers.datasources.machines import SeededMachines
from tests.peers.datasources.seeds import SEEDS
from tests.peers.peer import Prepared, need_tools
from tests.peers.user_data.compare import find_differences, read_rows, tell_unlisted

RELEASE = RELEASES[0]
PAGE = "docs/datasources.md"


@pytest.fixture(scope="module")
def machines(
    prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SeededMachines]:
    need_tools()
    folder = tmp_path_factory.mktemp("machines")
    with SeededMachines(RELEASE, folder, prepared("cloud-init", RELEASE)) as started:
        yield started


@pytest.mark.parametrize("name", SEEDS)
def test_both_provision_from_it(machines: SeededMachines, name: str, tmp_path: Path) -> None:
    with SEEDS[name](tmp_path) as seeded:
        found, asked = machines.provision_from(*seeded)
    logs = "\n".join(
        ["%s %s: %s %s" % (it["method"], it["target"], it["status"], it["reason"]) for it in asked]
        + [result.log[-8000:] for result in found.values()]
    )
    assert found["lightinit"].statuses == [0], logs
    assert len(found["cloud_init"].statuses) == 4, logs
    for result in found.values():
        assert "/srv/v1/id" in result.changes, "the user data had no effect\n" + logs
    assert not [it for it in asked if it["status"] not in (200, 404)], "refused\n" + logs
    rows = read_rows(HERE + "/" + PAGE)
    wrong = tell_unlisted(name, find_differences(found), rows, PAGE)
    assert not wrong, wrong + "\n" + logs


def test_each_row_names_seeds_that_are_there() -> None:
    for row in read_rows(HERE + "/" + PAGE):
        assert set(row.documents.split()) - {"all", "but"} <= set(SEEDS), row
