"""Headers of an answer: how long to wait, how long the body is."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.host.network.http_headers import parse_retry_after


@pytest.mark.parametrize(
    "value, date, wait_s",
    [
        ("5", "", 5.0),
        (" 0 ", "", 0.0),
        ("999999999999999999", "", 86400.0),
        ("-5", "", None),
        ("1.5", "", None),
        ("soon", "", None),
        ("", "", None),
        ("\u0665", "", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", "", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", "", 0.0),
        ("Wed, 15 Nov 2028 22:14:20 GMT", "", None),
        ("Wed, 15 Nov 2028 22:14:20 GMT", "Wed, 15 Nov 2028 22:13:50 GMT", 30.0),
        ("Tue, 99 Nov 99999999999 22:14:20 GMT", "", None),
    ],
)
def test_retry_after(value: str, date: str, wait_s: Any) -> None:
    assert parse_retry_after({"retry-after": value, "date": date}, 1700000000.0) == wait_s
