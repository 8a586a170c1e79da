"""A question over varlink: what comes back, and that it never waits for long."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lightinit.host.network import varlink
from lightinit.host.system import System
from tests.lib.netns import wait_until
from tests.lib.varlink_service import VarlinkService

METHOD = "io.example.Describe"


@pytest.mark.parametrize(
    "message, answer",
    [
        (b'{"parameters":{"a":1}}', {"a": 1}),
        (b'{"parameters":{}}', {}),
        (b'{"parameters":{"a":"%s"}}' % (b"x" * 300000), {"a": "x" * 300000}),
        (b'{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"x"}}', {}),
        (b'{"parameters":[]}', None),
        (b"{}", None),
        (b"", None),
        (b"\xff", None),
        (b"[" * 100000, None),
    ],
)
def test_the_answer(short_root: Path, message: bytes, answer: object) -> None:
    with VarlinkService(short_root / "socket", message) as service:
        assert varlink.call(System(str(short_root)), "/socket", METHOD, 20.0) == answer
    assert service.asked == [{"method": METHOD, "parameters": {}}]


def test_a_service_that_hangs(short_root: Path) -> None:
    with VarlinkService(short_root / "socket", None) as service:
        assert varlink.call(System(str(short_root)), "/socket", METHOD, 0.2) is None
        wait_until(lambda: service.asked, 60, "it is not asked")
    assert len(service.asked) == 1


def test_no_service(short_root: Path) -> None:
    system = System(str(short_root))
    assert varlink.call(system, "/socket", METHOD, 1.0) is None
    with socket.socket(socket.AF_UNIX) as left_behind:  # its process has ended
        left_behind.bind(str(short_root / "socket"))
    assert varlink.call(system, "/socket", METHOD, 1.0) is None
    assert varlink.call(system, "/" + "long" * 40, METHOD, 1.0) is None
