"""dropbear's host keys: where it looks for them, and of which type each is.

Pure. Places and formats: dropbear(8), dropbearkey(1). A key file begins with its type, as a string
of SSH's wire format.
"""

from __future__ import annotations

import re
from typing import Dict, List, Sequence

from lightinit.formats.ssh.dropbear_options import DropbearOptions

FOLDER = "/etc/dropbear"
# What every dropbearkey makes, the quickest first; "dss" is too weak, and new versions lack it.
TYPES = ("ed25519", "ecdsa", "rsa")
DEFAULTS = tuple("%s/dropbear_%s_host_key" % (FOLDER, kind) for kind in TYPES + ("dss",))
_NAMED = re.compile(r"(?:ed25519|ecdsa|rsa|dss)")
_HEADS: Dict[bytes, str] = {
    b"ssh-ed25519": "ed25519",
    b"ecdsa-sha2-nistp": "ecdsa",
    b"ssh-rsa": "rsa",
    b"ssh-dss": "dss",
}
# Not what follows a variable, as in ${FOLDER}/host_key and "$FOLDER"/host_key.
_PLACE = re.compile(r"(?<![\w/.@+}-])(?<![\w}][\"'])/[\w/.@+-]*host_?key(?![\w.])")
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_PUBLIC = re.compile(r"^(?:ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+.*$", re.MULTILINE)


def list_places(options: DropbearOptions, texts: Sequence[str]) -> List[str]:
    """The files that dropbear's host keys are in or may be put into.

    Args:
        options: those with which it is started. With -r it reads no other files.
        texts: its scripts, units and their files, which may name more.

    Returns:
        Absolute paths, each once.
    """
    named: List[str] = []
    for text in texts:
        plain = _COMMENT.sub("", text).replace(":-", " ").replace(":=", " ")  # ${NAME:-/place}
        named += [place for place in _PLACE.findall(plain) if place.count("/") > 1]
    places = list(options.host_keys) + named
    if not options.host_keys:
        places += DEFAULTS
    return [place for place in dict.fromkeys(places) if place.startswith("/")]


def find_type(path: str, data: bytes) -> str:
    """The type of key for a file: that of the key in it, else what its name says, else the first
    of :data:`TYPES`.
    """
    for head, kind in _HEADS.items():
        if data[4:].startswith(head):
            return kind
    match = _NAMED.search(path.rpartition("/")[2])
    if match is None:
        return TYPES[0]
    return match.group(0)


def is_on_demand(options: DropbearOptions, texts: Sequence[str]) -> bool:
    """Whether dropbear makes a missing key by itself (-R)."""
    if "R" in options.flags:
        return True
    return any(re.search(r"[\s\"']-[A-Za-z]*R[\s\"']", _COMMENT.sub("", text)) for text in texts)


def find_public(said: str) -> str:
    """The line with the public key, in what ``dropbearkey -y`` prints; "" if there is none."""
    match = _PUBLIC.search(said)
    if match is None:
        return ""
    return match.group(0)
