"""authorized_keys files and given keys, as bytes. Keys are put together here from their parts, by
the RFCs.
"""

from __future__ import annotations

import base64
import struct
from typing import Optional

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.ssh.authorized_keys import count_keys, merge
from lightinit.formats.ssh.public_keys import read_given, read_key


def blob(*fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def text(kind: str, *fields: bytes, comment: str = "") -> str:
    body = base64.b64encode(blob(kind.encode(), *fields)).decode()
    return " ".join([kind, body] + ([comment] if comment else []))


def rsa(bits: int) -> str:
    return text("ssh-rsa", b"\x01\x00\x01", (1 << (bits - 1) | 1).to_bytes(bits // 8 + 1, "big"))


ED = text("ssh-ed25519", b"e" * 32)
ED_2 = text("ssh-ed25519", b"f" * 32)
SK_ED = text("sk-ssh-ed25519@openssh.com", b"e" * 32, b"ssh:")
GOOD = {
    "ed25519": ED,
    "rsa-2048": rsa(2048),
    "rsa-4096": rsa(4096),
    "nistp256": text("ecdsa-sha2-nistp256", b"nistp256", b"\x04" + b"p" * 64),
    "nistp384": text("ecdsa-sha2-nistp384", b"nistp384", b"\x04" + b"p" * 96),
    "nistp521": text("ecdsa-sha2-nistp521", b"nistp521", b"\x04" + b"p" * 132),
    "sk-ed25519": SK_ED,
    "sk-nistp256": text(
        "sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\x04" + b"p" * 64, b"ssh:"
    ),
}


@pytest.mark.parametrize("line", GOOD.values(), ids=list(GOOD))
def test_known_types_are_taken(line: str) -> None:
    key = read_key(line + " me@there")
    assert key.kind == line.split()[0]
    assert key.line == (line + " me@there").encode()
    assert not key.notes


@pytest.mark.parametrize(
    "line, reason",
    [
        (text("ssh-dss", b"p", b"q", b"g", b"y"), "ssh key type is no longer accepted by sshd"),
        (text("ssh-ed25519-cert-v01@openssh.com", b"n"), "ssh certificate in place of a key"),
        (text("ssh-xmss@openssh.com", b"n"), "ssh key type is unknown"),
        (text("ssh-ed448", b"n"), "ssh key type is unknown"),
        (rsa(1016), "rsa key is too short"),
        (text("ssh-ed25519", b"e" * 31), "ssh key is damaged"),
        (text("ssh-ed25519", b"e" * 32, b"x"), "ssh key is damaged"),
        (text("ssh-rsa", b"\x01"), "ssh key is damaged"),
        (text("ssh-rsa", b"\x01", b""), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp384", b"\x04" + b"p" * 64), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp256", b"\x02" + b"p" * 64), "ssh key is damaged"),
        (text("ecdsa-sha2-nistp256", b"nistp256"), "ssh key is damaged"),
        ("ssh-rsa " + ED.split()[1], "ssh key does not hold what its type says"),
        (ED[:-8], "ssh key does not hold what its type says"),
        (ED[:-3], "ssh key is not base64"),
        ("ssh-ed25519 ????", "ssh key is not base64"),
        ("ssh-ed25519", "not an ssh public key"),
        ("hello world", "not an ssh public key"),
        ("x", "not an ssh public key"),
        (ED + " a\0b", "ssh key holds control characters"),
        (ED + " a\x1b[2J", "ssh key holds control characters"),
    ],
)
def test_others_are_refused_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_key(line)
    assert caught.value.reason == reason
    assert str(caught.value).isprintable()


def test_a_short_rsa_key_is_taken_and_said() -> None:
    assert "1024 bits" in read_key(rsa(1024)).notes[0]


@pytest.mark.parametrize(
    "options", ['from="10.0.0.0/8"', 'command="echo \\"a b\\" # c",no-pty', "restrict,pty"]
)
def test_given_options_are_kept(options: str) -> None:
    key = read_key(options + " " + ED + " me")
    assert key.line == (options + " " + ED + " me").encode()
    assert key.blob == read_key(ED).blob


def test_several_keys_and_crlf_in_one_value() -> None:
    given = read_given("\ufeff# mine\r\n" + ED + " one\r\n\r\n  " + ED_2 + " two \r\nrubbish\r\n")
    assert [key.line for key in given.keys] == [(ED + " one").encode(), (ED_2 + " two").encode()]
    assert [error.reason for error in given.refused] == ["not an ssh public key"]


# What Azure hands out for keys that it has generated itself: base64 in lines of 64 characters, with
# CRLF.
def broken(line: str, end: str = "\r\n", size: int = 64, indent: str = "") -> str:
    kind, body, *comment = line.split(" ")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return " ".join([kind, (end + indent).join(pieces)] + comment) + end


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize(
    "end, size, indent", [("\r\n", 64, ""), ("\n", 76, ""), ("\r\n", 1, " "), ("\n\n", 20, "\t")]
)
def test_line_ends_within_a_key_are_passed_over(
    name: str, end: str, size: int, indent: str
) -> None:
    whole = GOOD[name] + " generated-by-azure"
    if len(whole) > 400 * size:
        size = 8
    given = read_given(broken(whole, end, size, indent))
    assert [key.line for key in given.keys] == [whole.encode()] and not given.refused


def test_broken_keys_among_whole_ones() -> None:
    first, second = rsa(2048), rsa(3072)
    given = read_given(
        broken(first + " one") + ED + " two\n" + "no-pty " + broken(second + " three")
    )
    assert [key.line.decode() for key in given.keys] == [
        first + " one",
        ED + " two",
        "no-pty " + second + " three",
    ]
    assert not given.refused


def test_a_key_in_pieces_without_its_end_takes_no_other_with_it() -> None:
    cut = broken(rsa(2048)).rsplit("\r\n", 2)[0]
    given = read_given(cut + "\r\n" + ED + "\r\n" + 'from="10.0.0.0/8" ' + ED_2 + "\r\n")
    assert [key.kind for key in given.keys] == ["ssh-ed25519", "ssh-ed25519"]
    assert given.refused and given.refused[0].reason in (
        "ssh key does not hold what its type says",
        "ssh key is not base64",
    )


def test_a_type_and_its_blob_on_two_lines() -> None:
    assert [key.line.decode() for key in read_given(ED.replace(" ", "\r\n") + "\r\n").keys] == [ED]


DER = b"\x30\x82\x01\x04" + b"d" * 0x104
DER_TEXT = base64.b64encode(DER).decode()


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN CERTIFICATE-----\r\n"
        + DER_TEXT[:64]
        + "\r\n"
        + DER_TEXT[64:]
        + "\r\n-----END CERTIFICATE-----\r\n",
        "-----BEGIN CERTIFICATE----- " + DER_TEXT + " -----END CERTIFICATE-----",
        DER_TEXT,
        DER_TEXT[:40] + "\n" + DER_TEXT[40:],
    ],
)
def test_x509_is_recognised(value: str) -> None:
    given = read_given(value)
    assert given.certificates == (DER,)
    assert not given.keys and not given.refused


def test_several_certificates() -> None:
    one = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % DER_TEXT
    assert read_given(one + one).certificates == (DER, DER)
    assert read_given(one.replace(DER_TEXT, "???")).refused[0].reason == "certificate is not base64"


def test_a_private_key_is_refused_and_not_shown() -> None:
    given = read_given(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    assert given.refused[0].reason == "a private key was given in place of a public one"
    assert "c2VjcmV0" not in str(given.refused[0])


def test_rfc_4716_is_refused_with_what_to_do() -> None:
    given = read_given("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n")
    assert given.refused[0].reason == "ssh key has a form that sshd does not read"
    assert "ssh-keygen" in str(given.refused[0])


@pytest.mark.parametrize(
    "value", ["", " \r\n", "\0", "\ud800", "=" * 100, "AAAA" * 1000, "MIIB", "-----BEGIN "]
)
def test_rubbish_never_raises(value: str) -> None:
    assert not read_given(value).keys


# -- merging
# --------------------------------------------------------------------------------------------------

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
