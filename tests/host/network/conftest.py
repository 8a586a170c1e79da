"""A server for the tests of both ways to speak HTTP."""

from __future__ import annotations

from typing import Callable, Iterator, List

import pytest

from tests.lib.http_server import Conversation, Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that answer as they are told, and ends them."""
    servers: List[Server] = []

    def make(*conversations: Conversation) -> Server:
        servers.append(Server(*conversations))
        return servers[-1]

    yield make
    for server in servers:
        server.close()
