"""Each kind of content is recognised by its magic bytes."""

from __future__ import annotations

import pytest

from lightinit.formats.disks.signatures import MAGIC, find_signatures
from tests.lib.disk_images import MIB, Image

SIZE, START = 64 * MIB, 64 * 1024


@pytest.mark.parametrize("kind, at, magic", MAGIC)
def test_each_kind_is_recognised(kind: str, at: int, magic: bytes) -> None:
    image = Image(SIZE).put(START + at, magic)
    assert kind in [each.kind for each in find_signatures(image.read, START, SIZE - START)]


def test_nothing_is_recognised_in_zeros() -> None:
    assert find_signatures(Image(SIZE).read, 0, SIZE) == []
