"""The origins of logins for which sshd's configuration may differ.

Pure. Match blocks name client addresses and hosts, and local addresses and ports. Outside of Match
blocks the configuration is the same for all logins of a user. Semantics: sshd_config(5), Match.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Sequence, Tuple

from lightinit.formats.blanks import words_of
from lightinit.formats.ssh.password_policy import walk

ORIGINS = ("address", "host", "localaddress", "localport", "rdomain")
DEFAULT_PORT = 22


def list_conditions(
    text: str, included: Callable[[str], Sequence[Tuple[str, str]]]
) -> List[Tuple[str, str]]:
    """(criterion in lower case, patterns) of all Match blocks that have lines, each once.

    Args:
        text: sshd_config.
        included: takes an Include pattern; returns (path, text) of its files, in order.
    """
    found: List[Tuple[str, str]] = []
    blocks = dict.fromkeys(block for block, _, _ in walk(text, included) if block)
    for block in blocks:
        words = words_of(block.replace("=", " "))
        found += [(name.lower(), patterns) for name, patterns in zip(words[::2], words[1::2])]
    return list(dict.fromkeys(found))


def make_a_difference(conditions: Sequence[Tuple[str, str]]) -> bool:
    """Whether the configuration may depend on where a login comes from."""
    return any(name in ORIGINS for name, _ in conditions)


def list_addresses(conditions: Sequence[Tuple[str, str]]) -> List[str]:
    """An address for each network that a condition names, except loopback. This includes networks
    that a ``!`` excludes, since other lines apply there.
    """
    found = []
    for name, patterns in conditions:
        if name == "address":
            found += [_inside(pattern.lstrip("!")) for pattern in patterns.split(",")]
    return [each for each in dict.fromkeys(found) if each]


def find_port(text: str, included: Callable[[str], Sequence[Tuple[str, str]]]) -> int:
    """The first port on which sshd listens, according to its configuration."""
    return next(_ports(text, included), DEFAULT_PORT)


def _ports(text: str, included: Callable[[str], Sequence[Tuple[str, str]]]) -> Iterator[int]:
    for _, keyword, arguments in walk(text, included):
        if keyword == "port" and arguments and re.match(r"[0-9]{1,5}\Z", arguments[0]):
            yield int(arguments[0])


def _inside(pattern: str) -> str:
    """An address that matches a pattern; "" if no useful one does."""
    import ipaddress

    if not re.match(r"[0-9A-Fa-f:.*?]+(?:/[0-9]{1,3})?\Z", pattern) or pattern.strip("*") == "":
        return ""
    network, _, prefix = pattern.partition("/")
    try:
        if prefix:
            whole = ipaddress.ip_network(pattern, strict=False)
            address = whole.network_address
            if whole.num_addresses > 1:
                address += 1
        else:
            address = ipaddress.ip_address(_fill(network))
    except ValueError:
        return ""
    if address.is_loopback:
        return ""
    return str(address)


def _fill(pattern: str) -> str:
    """An address that matches a pattern with wildcards."""
    plain = pattern.replace("*", "1").replace("?", "1")
    if "." in pattern and ":" not in pattern and "*" in pattern:
        return ".".join((plain.split(".") + ["1", "1", "1"])[:4])
    return plain
