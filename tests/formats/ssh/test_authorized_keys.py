"""authorized_keys files as bytes: merged and counted."""

from __future__ import annotations

from typing import Optional

import pytest

from lightinit.formats.ssh.authorized_keys import (
    count_keys,
    is_only_keys,
    merge,
    restrict,
)
from lightinit.formats.ssh.public_keys import read_key
from tests.lib.ssh_keys import ED, ED_2, SK_ED, blob

FOREIGN = (
    b'# mine\n\n  \ncommand="x y",no-pty '
    + ED_2.encode()
    + b" other\ngarbage \xff\xfe\n@cert-authority * x\n"
)


@pytest.mark.parametrize(
    "existing, gap",
    [
        (b"", b""),
        (FOREIGN, b""),
        (FOREIGN[:-1], b"\n"),
        (b"\n\n", b""),
        (b"\0\x01binary\0", b"\n"),
    ],
)
def test_merge_only_appends(existing: bytes, gap: bytes) -> None:
    merged = merge(existing, [read_key(ED + " me")])
    assert merged.data == existing + gap + (ED + " me\n").encode()
    assert merged.added == 1
    assert merge(merged.data, [read_key(ED + " me")]).data == merged.data


def test_merge_keeps_crlf() -> None:
    existing = (ED_2 + "\r\n").encode()
    assert merge(existing, [read_key(ED)]).data == existing + (ED + "\r\n").encode()
    assert merge(existing[:-2] + b"\r\nx", [read_key(ED)]).data.endswith(
        b"\r\nx\r\n" + ED.encode() + b"\r\n"
    )


@pytest.mark.parametrize(
    "there",
    [
        ED,
        ED + " some other comment",
        "  " + ED,
        "\t" + ED + "\r",
        ED.replace(" ", "\t"),
        ED + " # x",
        ED + " 'quote\"",
    ],
)
def test_the_same_key_is_not_added_twice(there: str) -> None:
    merged = merge((there + "\n").encode(), [read_key(ED + " mine")])
    assert merged.added == 0
    assert merged.data == (there + "\n").encode()
    assert not merged.restricted


@pytest.mark.parametrize("other", ["\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2003"])
def test_what_sshd_takes_for_no_blank_parts_no_words(other: str) -> None:
    """``ssh-keygen -l`` finds no key in such lines either."""
    kind, base64 = ED.split()
    for line in (kind + other + base64, "x y " + other, other, "b " + other + " " + ED):
        merged = merge(line.encode(), [read_key(ED)])
        assert merged.added == 1, line
        assert not is_only_keys(line.encode()) or not line.strip(), line


@pytest.mark.parametrize(
    "options, names",
    [
        ('command="say \\"hi, you\\" ssh-rsa AAAA",no-pty', "command, no-pty"),
        ('from="10.0.0.1,10.0.0.2"', "from"),
        ("Restrict", "restrict"),
        ('\x1b[2J\x1b]0;pwn\x07="x"', "?[2j?]0;pwn?"),
        ("caf\u00e9\u202e", "caf?????"),
        ("a" * 5000, "a" * 57 + "..."),
    ],
)
def test_a_restricted_key_stays_restricted_and_is_said(options: str, names: str) -> None:
    existing = ("%s %s\n" % (options, ED)).encode()
    merged = merge(existing, [read_key(ED)])
    assert merged.data == existing
    assert merged.restricted == (names,)


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_also_stands_without_options_is_not_restricted(first: bool) -> None:
    lines = [ED, "restrict " + ED]
    merged = merge(("\n".join(lines if first else lines[::-1]) + "\n").encode(), [read_key(ED)])
    assert not merged.restricted and not merged.added


@pytest.mark.parametrize(
    "there",
    [
        "# " + ED,
        "cert-authority " + ED,
        ED_2,
        'command="' + ED + '"',
        "ssh-ed25519",
        ED.replace("ssh-ed25519 ", "rsa "),
    ],
)
def test_what_only_looks_like_the_key_does_not_count(there: str) -> None:
    assert merge((there + "\n").encode(), [read_key(ED)]).added == 1


def test_the_same_key_given_twice_is_added_once() -> None:
    assert merge(b"", [read_key(ED + " a"), read_key(ED + " b"), read_key(SK_ED)]).added == 2


@pytest.mark.parametrize(
    "data, count", [(b"", 0), (b"# x\n", 0), (FOREIGN, 1), ((ED + "\n" + ED_2).encode(), 2)]
)
def test_keys_are_counted(data: bytes, count: int) -> None:
    assert count_keys(data) == count


def test_the_helper_makes_what_ssh_keygen_makes() -> None:
    known: Optional[str] = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert read_key("ssh-ed25519 %s" % known).blob[:19] == blob(b"ssh-ed25519") + b"\0\0\0\x20"


def test_a_key_with_other_options_takes_the_place_of_all_its_lines() -> None:
    existing = FOREIGN + ("%s mine\nno-pty %s again\n" % (ED, ED)).encode()
    found = restrict(existing, [read_key('command="x" %s given' % ED)], b'command="say no"')
    assert found.data == FOREIGN + b'command="say no" %s given\n' % ED.encode()
    assert restrict(found.data, [read_key(ED + " given")], b'command="say no"').data == found.data
    assert restrict(b"", [read_key(ED)], b"no-pty").data == b"no-pty " + ED.encode() + b"\n"
