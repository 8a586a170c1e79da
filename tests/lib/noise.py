"""Bytes without any meaning: the same in each run, so that a finding comes again."""

from __future__ import annotations

from random import Random


def noise(dice: Random, count: int) -> bytes:
    """``count`` bytes."""
    return bytes(dice.randrange(256) for _ in range(count))
