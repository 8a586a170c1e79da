"""Reads the lease file of dhclient (ISC): a log of ``lease { … }`` declarations, the newest last.

The grammar is in dhclient.leases(5) and dhclient.conf(5). The values are in the forms that the
client prints, in those of older releases, and in those of distributions' patches.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Optional, Tuple

from lightinit.formats.dhcp import options
from lightinit.model import Lease, Route

WIRESERVER_NAMES = ("unknown-245", "option-245", "private-245", "private_245")
UNREADABLE_S = 0.0
ROUTE_NAMES = (
    "rfc3442-classless-static-routes",
    "classless-static-routes",
    "unknown-121",
    "option-121",
    "ms-classless-static-routes",
    "unknown-249",
    "option-249",
)

# A token is a quoted string with its quotes and escapes, one of { } ; or a word.
Token = str
Statement = List[Token]

_BLANK_OR_COMMENT = re.compile(r"\s+|#[^\n]*")
_WORD = re.compile(r"[^\s{};\"#]+")
# The client prints one of these after a closing quote. Before anything else, a quote belongs to the
# string: releases before 4 printed a byte 0x22 without an escape.
_AFTER_STRING = re.compile(r"[ \t]*(?:[;,{}\n#]|\Z)")
_QUOTE_OR_ESCAPE = re.compile(r'"|\\.', re.DOTALL)


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The unexpired leases in a dhclient lease file: the last block of each interface.

    A block without its end was cut off, and is ignored. If the date of a block cannot be read, the
    lease expired in 1970, unless its lease time is infinite: for such a lease the client may write
    a date that has overflowed. ``lease6`` blocks are ignored.

    Arguments and result are those of ``clients.read_leases``. ``written_s`` is not used, since each
    block has its own expiry date.
    """
    found: Dict[Optional[str], Lease] = {}
    for block in _blocks(_tokens(data.decode("latin-1"))):
        lease = _lease(block, source, interface)
        if lease is not None and (lease.expires_s is None or lease.expires_s > now_s):
            found.pop(lease.interface, None)
            found[lease.interface] = lease
    return tuple(found.values())


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        skipped = _BLANK_OR_COMMENT.match(text, at)
        if skipped:
            at = skipped.end()
            continue
        if text[at] in "{};":
            yield text[at]
            at += 1
            continue
        end = _token_end(text, at)
        if end is None:
            return  # a string without an end: the file was cut off inside it
        yield text[at:end]
        at = end


def _token_end(text: str, at: int) -> Optional[int]:
    if text[at] == '"':
        return _string_end(text, at)
    return _WORD.match(text, at).end()  # type: ignore[union-attr]


def _string_end(text: str, start: int) -> Optional[int]:
    for special in _QUOTE_OR_ESCAPE.finditer(text, start + 1):
        if special.group() == '"' and _AFTER_STRING.match(text, special.end()):
            return special.end()
    return None


def _blocks(tokens: Iterator[Token]) -> Iterator[List[Statement]]:
    """The statements of each complete ``lease { … }``. Other declarations, also nested ones, are
    left out.
    """
    depth = 0
    statement: Statement = []
    block: Optional[List[Statement]] = None
    for word in tokens:
        if word == "{" and statement[-1:] == ["lease"]:
            # This may also come inside another block or after half a statement: the client was
            # killed while it wrote, and the next client appended to the file.
            depth, block, statement = 1, [], []
        elif word == "{":
            depth, statement = depth + 1, []
        elif word == "}":
            depth, statement = max(depth - 1, 0), []
            if depth == 0 and block is not None:
                yield block
            block = block if depth else None
        elif word == ";":
            if block is not None and depth == 1 and statement:
                block.append(statement)
            statement = []
        else:
            statement.append(word)


def _lease(block: List[Statement], source: str, interface: Optional[str]) -> Optional[Lease]:
    address, expires_s = "", None
    given: Dict[str, List[Token]] = {}
    for statement in block:
        name, values = statement[0], statement[1:]
        if name == "option" and values:
            given[values[0]] = values[1:]
        elif name == "interface" and values:
            interface = options.interface_from_text(_text(values[0])) or interface
        elif name == "fixed-address":
            address = (options.addresses_from_text(" ".join(values)) or ("",))[0]
        elif name == "expire" and values[-1:] != ["never"]:  # also `0 never`
            expires_s = _time(values) or UNREADABLE_S
    if not address:
        return None
    if options.is_forever("".join(given.get("dhcp-lease-time", []))):
        expires_s = None
    wireservers = [_wireserver(given[name]) for name in WIRESERVER_NAMES if name in given]
    routes = [_routes(given[name]) for name in ROUTE_NAMES if name in given]
    return Lease(
        client="dhclient",
        address=address,
        interface=interface,
        source=source,
        expires_s=expires_s,
        wireserver=next((found for found in wireservers if found), None),
        routers=options.addresses_from_text(" ".join(given.get("routers", []))),
        routes=next((found for found in routes if found), ()),
    )


def _time(values: List[Token]) -> Optional[float]:
    if values[:1] != ["epoch"]:
        return options.time_from_date(" ".join(values))
    if len(values) == 2 and re.match(r"[0-9]{1,15}\Z", values[1]):
        return float(values[1])
    return None


def _wireserver(values: List[Token]) -> Optional[str]:
    if len(values) == 1 and values[0].startswith('"'):
        # First read the client's escapes. Then try again, with each backslash that does not start
        # an octal escape as a byte of its own.
        for lone_backslash in (False, True):
            raw = _unescape(values[0][1:-1], lone_backslash)
            if len(raw) == 4:
                return options.wireserver_from_bytes(raw)
            text = options.wireserver_from_text(raw.decode("latin-1"))
            if text:
                return text
        return None
    return options.wireserver_from_text("".join(values))


def _routes(values: List[Token]) -> Tuple[Route, ...]:
    if len(values) == 1 and values[0].startswith('"'):
        return options.routes_from_bytes(_unescape(values[0][1:-1], False))
    return options.routes_from_text(" ".join(values))


def _text(token: Token) -> str:
    if not token.startswith('"'):
        return token
    return _unescape(token[1:-1], False).decode("utf-8", "replace")


def _unescape(text: str, lone_backslash: bool) -> bytes:
    def byte(matched: "re.Match[str]") -> str:
        octal, hexadecimal, other = matched.groups()
        if octal:
            return chr(int(octal, 8) & 0xFF)
        if lone_backslash and (hexadecimal or other not in '"\\'):
            return str(matched.group(0))
        if hexadecimal:
            return chr(int(hexadecimal, 16))
        return str(other)

    if "\\" in text:
        text = re.sub(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", byte, text, flags=re.DOTALL)
    return text.encode("latin-1")
