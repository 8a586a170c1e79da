"""SSH host keys: the names of their files, and their fingerprints.

Pure: names and bytes in, text out. The fingerprint is the one that `ssh-keygen -l` prints and that
ssh shows at the first connection: base64 of the SHA-256 of the key's blob, without padding.
"""

from __future__ import annotations

import base64
import binascii
import re

from lightinit.errors import MalformedError

_FILE = re.compile(r"ssh_host_(?:[A-Za-z0-9_.-]+_)?key(?:-cert)?(?:\.pub)?\Z")
_PRIVATE = re.compile(r"ssh_host_(?:[A-Za-z0-9_.-]+_)?key\Z")
_ENDS = re.compile(r"(?:-cert)?(?:\.pub)?\Z")
_MADE = tuple(
    "ssh_host_%skey" % kind for kind in ("", "dsa_", "rsa_", "ecdsa_", "ed25519_", "xmss_")
)


def is_host_key_file(name: str) -> bool:
    """Whether a file of this name in /etc/ssh is a host key (private or public) or its
    certificate.
    """
    return _FILE.match(name) is not None


def is_private_key_file(name: str) -> bool:
    """Whether a file of this name in /etc/ssh is a private host key."""
    return _PRIVATE.match(name) is not None


def private_name(name: str) -> str:
    """The name of the private key to which a file (private, public, certificate) belongs."""
    return _ENDS.sub("", name)


def is_made_anew(name: str) -> bool:
    """Whether some version of `ssh-keygen -A` makes a private key of this name."""
    return name in _MADE


def is_public(public: bytes) -> bool:
    """Whether this is the content of a .pub file."""
    try:
        fingerprint(public)
    except MalformedError:
        return False
    return True


def with_comment(public: bytes, comment: str) -> bytes:
    """The content of a .pub file with another comment."""
    words = public.split()[:2] + [comment.encode("utf-8", "replace")]
    return b" ".join(words) + b"\n"


def fingerprint(public: bytes) -> str:
    """Type and SHA-256 fingerprint of a public key, such as ``ssh-ed25519 SHA256:...``.

    Args:
        public: the content of a .pub file: type, base64, comment.

    Raises:
        MalformedError: it is not a public key.
    """
    words = public.split(None, 2)
    try:
        blob = base64.b64decode(words[1], validate=True)
        kind = words[0].decode("ascii")
    except (IndexError, ValueError, binascii.Error):
        raise MalformedError("not an ssh public key") from None
    if blob[:4] != len(kind).to_bytes(4, "big") or blob[4 : 4 + len(kind)] != words[0]:
        raise MalformedError("not an ssh public key")
    import hashlib

    digest = base64.b64encode(hashlib.sha256(blob).digest()).rstrip(b"=")
    return "%s SHA256:%s" % (kind, digest.decode("ascii"))
