"""A pool of key-value pairs is read as the host reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightinit.emulator import EmulatorError, read_pool

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


def record(key: bytes, value: bytes) -> bytes:
    """Write a record."""
    return key.ljust(512, b"\0") + value.ljust(2048, b"\0")


def pool(folder: Path, data: bytes) -> str:
    """Write a pool."""
    path = folder / ".kvp_pool_1"
    path.write_bytes(data)
    return str(path)


def test_pairs_come_in_order_and_may_repeat(tmp_path: Path) -> None:
    pairs = [("a", "1"), ("\u00fc", ""), ("a", "result=error|x")]
    path = pool(tmp_path, b"".join(record(key.encode(), value.encode()) for key, value in pairs))
    assert read_pool(path) == pairs
    assert read_pool(pool(tmp_path, b"")) == []


def test_only_what_the_kernel_passes_arrives(tmp_path: Path) -> None:
    ((key, value),) = read_pool(pool(tmp_path, record(b"k" * 512, b"v" * 2048)))
    assert (len(key), len(value)) == (254, 1022)
    ((_, value),) = read_pool(pool(tmp_path, record(b"k", b"v" * 1021 + "\u00fc".encode())))
    assert value == "v" * 1021 + "\ufffd"


@pytest.mark.parametrize(
    "data, sentence",
    [
        (record(b"a", b"b") + b"x", "ends within a record: it has 2561 bytes, 1 more"),
        (record(b"a", b"b")[:-1], "ends within a record"),
        (record(b"a", b"b") + record(b"", b"b"), "record 1 has no key"),
        (record(b"a\0b", b"b"), "record 0: the key has other bytes after its first NUL"),
        (record(b"a", b"b\0 "), "record 0: the value has other bytes after"),
        (record(b"a", b"x\xff"), "record 0: the value is not UTF-8: .* at its byte 1"),
    ],
)
def test_what_the_host_could_not_read_is_an_error(
    tmp_path: Path, data: bytes, sentence: str
) -> None:
    with pytest.raises(EmulatorError, match=sentence):
        read_pool(pool(tmp_path, data))


def test_the_command(tmp_path: Path) -> None:
    def kvp(path: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "lightinit.emulator", "kvp", path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONIOENCODING="utf-8"),
        )

    ended = kvp(pool(tmp_path, record(b"a", "\u00fc\n".encode()) + record(b"b", b"2")))
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        {"key": "a", "value": "\u00fc\n"},
        {"key": "b", "value": "2"},
    ]
    for path in (pool(tmp_path, b"torn"), str(tmp_path / "none"), str(tmp_path)):
        ended = kvp(path)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert path.encode() in ended.stderr and b"Traceback" not in ended.stderr
