"""Reads the strings of SMBIOS type 11 ("OEM strings"), and the credentials among them.

Sources: DMTF DSP0134, "OEM Strings (Type 11)" and "Text strings"; smbios-type-11(7) of systemd:
``io.systemd.credential:NAME=VALUE``, and ``io.systemd.credential.binary:`` with base64.
"""

from __future__ import annotations

import base64
import binascii
from typing import Dict, Iterable, List

TYPE = 11
PLAIN, BINARY = "io.systemd.credential:", "io.systemd.credential.binary:"


def read_strings(structure: bytes) -> List[str]:
    """The strings of one structure, as /sys/firmware/dmi/entries/11-*/raw has it; none if it is
    damaged or of another type.
    """
    if len(structure) < 5 or structure[0] != TYPE or structure[1] < 5:
        return []
    # After the fixed part: strings that end with a zero byte; an empty one ends the list.
    strings = structure[structure[1] :].split(b"\0")
    if b"" in strings:
        strings = strings[: strings.index(b"")]
    return [text.decode("utf-8", "replace") for text in strings]


def read_credentials(strings: Iterable[str], names: Iterable[str]) -> Dict[str, bytes]:
    """The credentials with one of these names. The first of a name counts; damaged base64 is passed
    over.
    """
    wanted = set(names)
    found: Dict[str, bytes] = {}
    for text in strings:
        for prefix in (PLAIN, BINARY):
            if not text.startswith(prefix):
                continue
            name, equals, value = text[len(prefix) :].partition("=")
            if not equals or name not in wanted or name in found:
                continue
            try:
                if prefix == BINARY:
                    packed = "".join(value.split())  # base64(1) breaks its lines, if not told
                    found[name] = base64.b64decode(packed.encode("utf-8"), validate=True)
                else:
                    found[name] = value.encode("utf-8")
            except (binascii.Error, ValueError):
                continue
    return found
