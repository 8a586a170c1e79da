"""Reads OpenPGP public keys: RFC 9580, section 6 (armour), 4.2 (packets), 5.5.4 (fingerprints).

No signature is checked: a key is found by its fingerprint, which is all of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Dict, Iterator, List, Tuple

from lightinit.errors import MalformedError

ARMOUR, END, DASHES = "-----BEGIN PGP ", "-----END PGP ", "-----"
KIND_CHARACTERS = 100
_CHECKSUM = re.compile(r"=[A-Za-z0-9+/]{4}\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]+: ")
PUBLIC = 6
SECRET = (5, 7)


def dearmour(text: str) -> bytes:
    """The packets of the armoured keys in a text.

    Raises:
        MalformedError: there are none, or a private key is among them, or they are damaged.
    """
    found = []
    at = text.find(ARMOUR)
    while at >= 0:
        head = at + len(ARMOUR)
        kind, _, rest = text[head : head + KIND_CHARACTERS].partition(DASHES)
        end = text.find(END, head)
        if end < 0:
            raise MalformedError("not an OpenPGP key", why="no PUBLIC KEY BLOCK is whole in it")
        if not rest or kind != "PUBLIC KEY BLOCK":
            raise MalformedError("not an OpenPGP key", why="it is another block, or a private key")
        found.append(_decode(text[head + len(kind) + len(DASHES) : end]))
        at = text.find(ARMOUR, end)
    if not found:
        raise MalformedError("not an OpenPGP key", why="no PUBLIC KEY BLOCK is in it")
    return b"".join(found)


def _decode(body: str) -> bytes:
    """The bytes of one block's text: its headers, its base64, its checksum."""
    lines = [line.strip() for line in body.splitlines()]
    kept = [line for line in lines if not _HEADER.match(line) and not _CHECKSUM.match(line)]
    try:
        return base64.b64decode("".join(kept), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("not an OpenPGP key", why="its base64 is damaged") from None


def read_keys(data: bytes) -> Dict[str, bytes]:
    """The keys in some packets: the fingerprint of each primary key, in upper-case hex, and its
    packets with all that belong to it.

    Raises:
        MalformedError: these are no packets, no key is among them, or a private one is.
    """
    found: Dict[str, List[bytes]] = {}
    current = ""
    for tag, whole, body in _packets(data):
        if tag in SECRET:
            raise MalformedError("not an OpenPGP key", why="it is a private key")
        if tag == PUBLIC:
            current = _fingerprint(body)
            found[current] = []
        if current:
            found[current].append(whole)
    if not found:
        raise MalformedError("not an OpenPGP key", why="no public key is in it")
    return {name: b"".join(packets) for name, packets in found.items()}


def is_named(fingerprint: str, name: str) -> bool:
    """Whether a key id or a fingerprint, of at least 8 hex digits, names a key."""
    wanted = name.upper()
    if wanted.startswith("0X"):
        wanted = wanted[2:]
    return len(wanted) >= 8 and fingerprint.endswith(wanted)


def _fingerprint(body: bytes) -> str:
    version = body[:1]
    if version in (b"\x05", b"\x06"):
        marks = {b"\x05": b"\x9a", b"\x06": b"\x9b"}
        mark = marks[version] + len(body).to_bytes(4, "big")
        return hashlib.sha256(mark + body).hexdigest().upper()
    if version != b"\x04":
        raise MalformedError("not an OpenPGP key", why="its version is too old or too new")
    mark = b"\x99" + len(body).to_bytes(2, "big")
    try:
        return hashlib.sha1(mark + body).hexdigest().upper()  # noqa: S324 - the format says so
    except ValueError:
        raise MalformedError("not an OpenPGP key", why="this host forbids SHA-1") from None


def _packets(data: bytes) -> Iterator[Tuple[int, bytes, bytes]]:
    """The tag, all bytes and the body of each packet."""
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise MalformedError("not an OpenPGP key", why="its packets are damaged")
        if first & 0x40:
            tag = first & 0x3F
            start, length = _new_length(data, at + 1)
        else:
            tag = (first >> 2) & 0x0F
            size = 1 << (first & 3)
            if size == 8:
                raise MalformedError("not an OpenPGP key", why="a packet has no length")
            start = at + 1 + size
            length = int.from_bytes(data[at + 1 : start], "big")
        if start + length > len(data):
            raise MalformedError("not an OpenPGP key", why="it was cut off")
        yield tag, data[at : start + length], data[start : start + length]
        at = start + length


def _new_length(data: bytes, at: int) -> Tuple[int, int]:
    """Where the body starts, and its length."""
    first = int.from_bytes(data[at : at + 1], "big")
    if first < 192:
        return at + 1, first
    if first < 224:
        second = int.from_bytes(data[at + 1 : at + 2], "big")
        return at + 2, ((first - 192) << 8) + second + 192
    if first == 255:
        return at + 5, int.from_bytes(data[at + 1 : at + 5], "big")
    raise MalformedError("not an OpenPGP key", why="a packet is in pieces")
