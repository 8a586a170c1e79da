"""The search for the owner: how long one request may take."""

from __future__ import annotations

from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.datasources.azure.pool import OwnerSearch
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.errors import TransientError
from lightinit.host.network.http import Response
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, Sent, ok, status


def test_an_imds_that_takes_12_seconds_is_heard_in_the_end() -> None:
    """P4: the network may change under a request, so the limit begins short and grows."""

    def slow(sent: Sent) -> Response:
        if sent.timeout_s < 12.0:
            raise TransientError("request timed out")
        return ok(make_ovf("owner", "owned"))

    transport, search = FakeTransport(slow), OwnerSearch()
    imds = ImdsClient(transport, ScriptedClock())  # type: ignore[arg-type]
    assert [search.ask(imds) for _ in range(3)] == [False, False, True]
    assert [sent.timeout_s for sent in transport.sent] == [5.0, 10.0, 20.0]
    assert search.found is not None and search.found.environment.user_name == "owner"


def test_the_limit_grows_only_after_what_was_too_slow() -> None:
    hanging = TransientError("request timed out")
    transport = FakeTransport(status(404), TransientError("no route to host"), hanging)
    search, imds = OwnerSearch(), ImdsClient(transport, ScriptedClock())  # type: ignore[arg-type]
    assert [search.ask(imds) for _ in range(7)] == [False] * 7
    limits = [sent.timeout_s for sent in transport.sent]
    assert limits == [5.0, 5.0, 5.0, 10.0, 20.0, 30.0, 30.0]
