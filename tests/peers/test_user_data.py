"""Debian's cloud-init and lightinit get the same user data, each on a machine of its own, and what
comes of it is compared: files with owner and mode, accounts, groups, keys, commands in order, the
host's name, sudo's rules, what sshd does.

A document is a file in user_data/documents. A difference is listed in docs/cloud-config.md, with
its reason. To see all of a document: make peers ARGS="-k 12-runcmd tests/peers/test_user_data.py".
"""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.lib.chroot import RELEASES
from tests.peers.peer import Prepared, need_tools
from tests.peers.user_data.compare import find_differences, read_rows, tell_unlisted, unsupported
from tests.peers.user_data.machines import Machines, list_documents, read_document

RELEASE = RELEASES[0]


@pytest.fixture(scope="module")
def machines(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    need_tools()
    folder = tmp_path_factory.mktemp("machines")
    with Machines(RELEASE, folder, prepared("cloud-init", RELEASE)) as started:
        yield started


@pytest.mark.parametrize("document", list_documents())
def test_both_do_the_same(machines: Machines, document: str) -> None:
    data = read_document(document)
    found = machines.provision(data)
    assert found["lightinit"].statuses == [0], found["lightinit"].log
    assert len(found["cloud_init"].statuses) == 4, found["cloud_init"].log
    differences = find_differences(found)
    later = unsupported(data)
    if later:
        pytest.xfail("lightinit does not know yet: " + ", ".join(sorted(later)))
    wrong = tell_unlisted(document, differences, read_rows(), "docs/cloud-config.md")
    assert not wrong, "\n".join([wrong] + [result.log[-3000:] for result in found.values()])


def test_each_row_names_documents_that_are_there() -> None:
    numbers = {name[:2] for name in list_documents()}
    for row in read_rows():
        assert row.numbers() <= numbers, row
