"""What is said of skipped tests."""

from __future__ import annotations

from tests.lib.skips import summary


def test_each_tool_has_a_line_with_its_package() -> None:
    reasons = [
        "root is needed for namespaces; not installed here: ip; not installed here: doas",
        "not installed here: ip, /usr/lib/tool",
        "not installed here: ip",
        "a little-endian machine is needed",
    ]
    assert summary(reasons) == [
        "   3 skipped: ip is missing; apt-get install iproute2",
        "   1 skipped: a little-endian machine is needed",
        "   1 skipped: doas is missing; apt-get install opendoas",
        "   1 skipped: root is needed for namespaces",
        "   1 skipped: tool is missing; apt-get install tool",
    ]
