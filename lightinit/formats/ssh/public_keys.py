"""Reads public keys: one line in, a key that sshd accepts out.

Pure: it knows no path and no user. Formats: a line is described in sshd(8), AUTHORIZED_KEYS FILE
FORMAT; a key's blob in RFC 4253 section 6.6, RFC 5656, RFC 8709 and OpenSSH's PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Dict, List, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

RSA_MIN_BITS = 1024  # OpenSSH ignores shorter keys
RSA_ADVISED_BITS = 2048
CURVES: Dict[bytes, int] = {b"nistp256": 65, b"nistp384": 97, b"nistp521": 133}
KEY_TYPES = (
    b"ssh-ed25519",
    b"ssh-rsa",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
)
# An escaped quote neither begins nor ends a string.
_QUOTE = re.compile(rb'\\"|"')
_BLANKS = re.compile(rb"[ \t]+")
_SPECIAL = re.compile(rb'\\"|"|[ \t]')


class PublicKey(NamedTuple):
    """One key for an authorized_keys file.

    Attributes:
        kind: its type, such as ``ssh-ed25519``.
        blob: the decoded base64.
        line: the whole line with options and comment, without a line end.
        notes: remarks for the operator.
    """

    kind: str
    blob: bytes
    line: bytes
    notes: Tuple[str, ...] = ()


def read_key(line: str) -> PublicKey:
    """Read and check one line of the form ``[options] type base64 [comment]``.

    Raises:
        MalformedError: sshd would not accept it; the reason says why.
    """
    raw = line.encode("utf-8", "replace")
    if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in raw):
        raise MalformedError("ssh key holds control characters")
    options, rest = split_options(raw)
    words = split_words(rest)
    if len(words) < 2:
        raise MalformedError(
            "not an ssh public key",
            starts=ascii(line[:20]),
            hint="give the one line of a .pub file: type, base64, comment",
        )
    kind = words[0]
    _refuse_kind(kind)
    blob = decode(words[1])
    if not blob:
        raise MalformedError(
            "ssh key is not base64", type=kind.decode(), hint="it may have been cut when copied"
        )
    notes = _check_blob(kind, blob)
    return PublicKey(kind.decode(), blob, b" ".join(filter(None, (options, rest))), notes)


# -- lines
# --------------------------------------------------------------------------------------------------


def split_options(line: bytes) -> Tuple[bytes, bytes]:
    """(options, rest) of a line, as sshd splits it.

    A line that starts with a key type has no options. Spaces in quotes do not end the options.
    """
    line = line.strip(b" \t\r")
    if looks_like_kind(split_words(line)[0]):
        return b"", line
    at = _options_end(line)
    rest = line[at:].strip(b" \t\r")
    if looks_like_kind(split_words(rest)[0]):
        return line[:at], rest
    return b"", line


def split_words(text: bytes) -> List[bytes]:
    """The type, the base64 and the comment of a line without options, as far as they are there.

    sshd parts them at spaces and tabs alone, not at what else Python takes for a blank: a line with
    a form feed after its type is no key to sshd, and must not count as one here.

    Returns:
        One to three words; [b""] for an empty line.
    """
    return _BLANKS.split(text.strip(b" \t\r"), 2)


def _options_end(line: bytes) -> int:
    quoted = False
    for found in _SPECIAL.finditer(line):
        if found.group() == b'"':
            quoted = not quoted
        elif not quoted and found.group() in (b" ", b"\t"):
            return found.start()
    return len(line)


def drop_quoted(options: bytes) -> bytes:
    """The options of a line without the text in quotes, as sshd splits it."""
    kept, begin, quoted = [], 0, False
    for found in _QUOTE.finditer(options):
        if found.group() != b'"':
            continue
        if not quoted:
            kept.append(options[begin : found.start()])
        begin, quoted = found.end(), not quoted
    if not quoted:
        kept.append(options[begin:])
    return b"".join(kept)


def looks_like_kind(word: bytes) -> bool:
    """Whether a word looks like the type of a key, known or not."""
    return re.match(rb"(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+\Z", word) is not None


# -- keys
# --------------------------------------------------------------------------------------------------


def decode(text: bytes) -> bytes:
    """The bytes of base64; b"" if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _refuse_kind(kind: bytes) -> None:
    name = kind.decode("ascii", "replace")
    if kind in KEY_TYPES:
        return
    if "-cert-" in name:
        raise MalformedError(
            "ssh certificate in place of a key",
            type=ascii(name),
            hint="give the plain public key: certificates are shown by the client",
        )
    if kind == b"ssh-dss":
        raise MalformedError(
            "ssh key type is no longer accepted by sshd", type=name, hint="give an ed25519 key"
        )
    if looks_like_kind(kind):
        raise MalformedError("ssh key type is unknown", type=ascii(name[:40]))
    raise MalformedError(
        "not an ssh public key",
        starts=ascii(name[:20]),
        hint="give the one line of a .pub file: type, base64, comment",
    )


def _check_blob(kind: bytes, blob: bytes) -> Tuple[str, ...]:
    """Check that a blob is a key of its type. Returns remarks for the operator."""
    fields = _fields(blob)
    name = kind.decode()
    if not fields or fields[0] != kind:
        raise MalformedError(
            "ssh key does not hold what its type says",
            type=name,
            hint="it may have been cut or changed when copied",
        )
    numbers = fields[1:]
    if kind == b"ssh-rsa":
        is_sound = len(numbers) == 2 and all(numbers)
    elif b"ecdsa" in kind:
        is_sound = _is_point(kind, numbers)
    else:
        is_sound = len(numbers) == 1 + _extra_fields(kind) and len(numbers[0]) == 32
    if not is_sound:
        raise MalformedError(
            "ssh key is damaged", type=name, hint="it may have been cut or changed when copied"
        )
    if kind == b"ssh-rsa":
        return _check_size(int.from_bytes(numbers[1], "big").bit_length())
    return ()


def _extra_fields(kind: bytes) -> int:
    # Keys on security keys have one more field at the end: the name of an application.
    return int(kind.startswith(b"sk-"))


def _is_point(kind: bytes, fields: Sequence[bytes]) -> bool:
    """Whether the fields of an ECDSA key are its curve's name and an uncompressed point on it."""
    curve = kind.split(b"@")[0].rsplit(b"-", 1)[1]
    if len(fields) != 2 + _extra_fields(kind) or fields[0] != curve:
        return False
    return len(fields[1]) == CURVES[curve] and fields[1][:1] == b"\x04"


def _check_size(bits: int) -> Tuple[str, ...]:
    if bits < RSA_MIN_BITS:
        raise MalformedError(
            "rsa key is too short",
            bits=bits,
            at_least=RSA_MIN_BITS,
            hint="give an RSA key of 2048 bits or more, or an ed25519 key",
        )
    if bits < RSA_ADVISED_BITS:
        return ("an RSA key of %d bits is short: newer sshd want %d" % (bits, RSA_ADVISED_BITS),)
    return ()


def rsa_bits(key: PublicKey) -> int:
    """The size of an RSA key; 0 for a key of another kind."""
    if key.kind != "ssh-rsa":
        return 0
    return int.from_bytes(_fields(key.blob)[2], "big").bit_length()


def _fields(blob: bytes) -> List[bytes]:
    """The length-prefixed strings of a blob; [] if they do not fill it exactly."""
    fields = []
    at = 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + size > len(blob):
            return []
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields
