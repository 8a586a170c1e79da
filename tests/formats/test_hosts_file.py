"""/etc/hosts: whose names go, whose stay, and that no other byte changes."""

from __future__ import annotations

from typing import Collection

import pytest

from lightinit.formats.hosts_file import addresses_of_host, drop_host, edit_hosts

MARK = "\t# lightinit\n"


@pytest.mark.parametrize(
    "before, name, old, after",
    [
        # Debian's own line, found by the old name
        (
            "127.0.0.1\tlocalhost\n127.0.1.1\timage\n::1 ip6-localhost\n",
            "vm1",
            ["image"],
            "127.0.0.1\tlocalhost\n127.0.1.1\tvm1\n::1 ip6-localhost\n",
        ),
        (
            "127.0.1.1  image.local   image # c\n",
            "vm1.example.org",
            ["image"],
            "127.0.1.1  vm1.example.org vm1 # c\n",
        ),
        ("127.0.1.1\timage printer\n", "vm1", ["image"], "127.0.1.1\tvm1 printer\n"),
        # our own line, whose name nobody remembers
        (
            "127.0.0.1 localhost\n127.0.1.1\tgone.x gone" + MARK,
            "vm1",
            [""],
            "127.0.0.1 localhost\n127.0.1.1\tvm1" + MARK,
        ),
        # none yet: behind 127.0.0.1, with that line's end
        (
            "127.0.0.1 localhost\n10.1.1.1 db\n",
            "vm1",
            [],
            "127.0.0.1 localhost\n127.0.1.1\tvm1" + MARK + "10.1.1.1 db\n",
        ),
        (
            "127.0.0.1 localhost\r\n",
            "vm1",
            [],
            "127.0.0.1 localhost\r\n127.0.1.1\tvm1\t# lightinit\r\n",
        ),
        ("10.1.1.1 db", "vm1", [], "10.1.1.1 db\n127.0.1.1\tvm1" + MARK),
        ("", "vm1", [], "127.0.0.1\tlocalhost\n127.0.1.1\tvm1" + MARK + "::1\tlocalhost\n"),
        # a foreign 127.0.1.1 line stays
        ("127.0.1.1 other\n", "vm1", ["image"], "127.0.1.1 other\n127.0.1.1\tvm1" + MARK),
        # somebody gave the name an address already
        ("10.0.0.4 vm1\n", "vm1", ["image"], "10.0.0.4 vm1\n"),
        ("127.0.0.1 localhost VM1\n", "vm1", [], "127.0.0.1 localhost VM1\n"),
        ("10.0.0.4 vm1\n127.0.1.1 image\n", "vm1", ["image"], "10.0.0.4 vm1\n"),
        (
            "10.0.0.4 vm1\n127.0.1.1 image printer\n",
            "vm1",
            ["image"],
            "10.0.0.4 vm1\n127.0.1.1 printer\n",
        ),
        ("#127.0.1.1 image\n", "vm1", ["image"], "#127.0.1.1 image\n127.0.1.1\tvm1" + MARK),
        (
            "127.0.1.1 localhost\n",
            "vm1",
            ["localhost"],
            "127.0.1.1 localhost\n127.0.1.1\tvm1" + MARK,
        ),
        # nothing to do
        ("127.0.1.1 vm1 image\n", "vm1", ["vm1"], "127.0.1.1 vm1 image\n"),
        ("127.0.1.1 vm1.local vm1\n", "vm1", ["image"], "127.0.1.1 vm1.local vm1\n"),
        # odd bytes and separators come through
        (
            "\x0c\n127.0.1.1 image\n\x85x\u2028y\n",
            "vm1",
            ["image"],
            "\x0c\n127.0.1.1 vm1\n\x85x\u2028y\n",
        ),
    ],
)
def test_hosts(before: str, name: str, old: Collection[str], after: str) -> None:
    assert edit_hosts(before, name, old) == after
    assert edit_hosts(after, name, old) == after, "a second run changes nothing"


@pytest.mark.parametrize(
    "name, fqdn, after",
    [
        ("vm1", "vm1.example.org", "127.0.1.1\tvm1.example.org vm1\n"),
        ("vm1.example.org", "vm1.example.org", "127.0.1.1\tvm1.example.org vm1\n"),
        ("vm1", "www.example.org", "127.0.1.1\twww.example.org vm1\n"),
    ],
)
def test_a_name_with_its_domain_comes_first(name: str, fqdn: str, after: str) -> None:
    text = edit_hosts("127.0.0.1\tlocalhost\n127.0.1.1\timage\n", name, ["image"], fqdn)
    assert text == "127.0.0.1\tlocalhost\n" + after
    assert edit_hosts(text, name, ["image", name], fqdn) == text, "a second run changes nothing"


def test_hosts_follows_a_renamed_machine_without_leaving_lines() -> None:
    text = "127.0.0.1 localhost\n"
    for old, new in (("", "one"), ("one", "two.example.org"), ("two.example.org", "three")):
        text = edit_hosts(text, new, [old])
    assert text == "127.0.0.1 localhost\n127.0.1.1\tthree\t# lightinit\n"


@pytest.mark.parametrize(
    "before, old, after",
    [
        (
            "127.0.0.1 localhost\n127.0.1.1 web-1.example.org web-1 # lightinit\n",
            ["web-1"],
            "127.0.0.1 localhost\n",
        ),
        (
            "127.0.0.1 localhost\n127.0.1.1 web-1\n10.0.0.9 db\n",
            ["web-1.example.org"],
            "127.0.0.1 localhost\n10.0.0.9 db\n",
        ),
        # wherever on a loopback line, and whatever parts the words
        ("127.0.0.1 web-1\n::1 web-1\n", ["web-1"], ""),
        ("127.0.0.1\tweb-1 localhost\n", ["web-1"], "127.0.0.1\tlocalhost\n"),
        (
            "127.0.0.1  localhost \t web-1  printer # mine: web-1\r\n",
            ["web-1"],
            "127.0.0.1  localhost \t printer # mine: web-1\r\n",
        ),
        (" 127.0.0.1 localhost\tWEB-1\tweb-1.other.example", ["web-1"], " 127.0.0.1 localhost"),
        ("127.0.0.1 localhost web-1#c\n", ["web-1"], "127.0.0.1 localhost#c\n"),
        ("127.9.9.9 a web-1 b web-1.x c\n", ["web-1"], "127.9.9.9 a b c\n"),
        # not a name of the host's
        ("127.0.0.1 web-10 myweb-1 x.web-1\n", ["web-1"], "127.0.0.1 web-10 myweb-1 x.web-1\n"),
        (
            "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost\n",
            ["localhost", "localhost.localdomain", "ip6-localhost", ""],
            "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost\n",
        ),
        ("127.0.0.1 localhost localhost.example\n", ["localhost.example"], "127.0.0.1 localhost\n"),
        # not this machine's own address, a comment, a line that is none
        (
            "10.0.0.4 web-1\n1270.0.1 web-1\n::11 web-1\n",
            ["web-1"],
            "10.0.0.4 web-1\n1270.0.1 web-1\n::11 web-1\n",
        ),
        (
            "#127.0.1.1 web-1\n127.0.1.1\n127.0.1.1 # web-1\n\n",
            ["web-1"],
            "#127.0.1.1 web-1\n127.0.1.1\n127.0.1.1 # web-1\n\n",
        ),
        (
            "\x0c\n127.0.0.1 web-1 x\n\x85y\u2028z\udcff\n",
            ["web-1"],
            "\x0c\n127.0.0.1 x\n\x85y\u2028z\udcff\n",
        ),
        ("", ["web-1"], ""),
        ("127.0.0.1 localhost\n", [], "127.0.0.1 localhost\n"),
    ],
)
def test_a_host_is_taken_out(before: str, old: Collection[str], after: str) -> None:
    assert drop_host(before, old) == after
    assert drop_host(after, old) == after, "a second run changes nothing"


def test_where_else_a_host_is_named() -> None:
    text = (
        "127.0.1.1 web-1\n10.0.0.4 x web-1.example.org\n10.0.0.4 web-1\n#10.0.0.5 web-1\nfe80::1"
        " WEB-1\n10.0.0.6 db\n"
    )
    assert addresses_of_host(text, ["web-1.example.org"]) == ["10.0.0.4", "fe80::1"]
    assert addresses_of_host("10.0.0.4 localhost\n", ["localhost"]) == []
