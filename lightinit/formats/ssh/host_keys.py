"""SSH host keys: the names of their files, their fingerprints, and what private keys and
certificates say of themselves.

Pure: names and bytes in, text out. The fingerprint is the one that `ssh-keygen -l` prints and that
ssh shows at the first connection: base64 of the SHA-256 of the key's blob, without padding. The
formats are those of OpenSSH's PROTOCOL.key and PROTOCOL.certkeys.
"""

from __future__ import annotations

import base64
import binascii
import re

from lightinit.errors import MalformedError
from lightinit.libraries import sha256
from lightinit.model import NamedTuple

_FILE = re.compile(r"ssh_host_(?:[A-Za-z0-9_.-]+_)?key(?:-cert)?(?:\.pub)?\Z")
_PRIVATE = re.compile(r"ssh_host_(?:[A-Za-z0-9_.-]+_)?key\Z")
_ENDS = re.compile(r"(?:-cert)?(?:\.pub)?\Z")
_TYPES_IN_ARMOUR = {"RSA ": "rsa", "EC ": "ecdsa", "DSA ": "dsa"}
_MAGIC = b"openssh-key-v1\0"
# How many fields the public part of each type has, after the type itself.
_FIELDS = {"rsa": 2, "dsa": 4, "ecdsa": 2, "ed25519": 1}
_CERTIFICATE = "-cert-v01@openssh.com"
_HOST = 2
MADE = tuple(
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
    return name in MADE


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


class PrivateKeyForm(NamedTuple):
    """What a private key says of itself.

    Attributes:
        type: ``rsa``, ``dsa``, ``ecdsa`` or ``ed25519``; "" if only its inside would say it.
        blob: the public part; b"" likewise.
        is_encrypted: whether a passphrase is needed.
    """

    type: str
    blob: bytes
    is_encrypted: bool


class HostCertificate(NamedTuple):
    """A certificate of a host key.

    Attributes:
        blob: the public key that it certifies.
        is_host: whether it is for a host, and not for a user.
        valid_after_s, valid_before_s: Unix times in seconds between which it is valid.
    """

    blob: bytes
    is_host: bool
    valid_after_s: int
    valid_before_s: int


def read_private(text: str) -> PrivateKeyForm:
    """Read what a private key shows without a look at its secret numbers.

    Args:
        text: the file, with Unix line ends.

    Raises:
        MalformedError: it is cut, or no private key.
    """
    first, *lines = text.split("\n")
    match = re.match(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----\Z", first)
    if match is None or lines[-2:] != ["-----END %sPRIVATE KEY-----" % match.group(1), ""]:
        raise MalformedError("ssh private key is damaged")
    if len(lines) < 3 or any(line.startswith("-") for line in lines[:-2]):
        raise MalformedError("ssh private key is damaged")
    armour, body = match.group(1), "\n".join(lines[:-2])
    if armour == "OPENSSH ":
        return _read_openssh(body)
    is_encrypted = armour == "ENCRYPTED " or "4,ENCRYPTED" in body
    return PrivateKeyForm(_TYPES_IN_ARMOUR.get(armour, ""), b"", is_encrypted)


def _read_openssh(body: str) -> PrivateKeyForm:
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (ValueError, binascii.Error):
        raise MalformedError("ssh private key is damaged") from None
    fields = _WireFields(data[len(_MAGIC) :])
    cipher = fields.string()
    fields.string()
    fields.string()
    count, blob = fields.number(4), fields.string()
    secret = fields.string()
    if not data.startswith(_MAGIC) or count != 1 or not fields.is_whole or not secret:
        raise MalformedError("ssh private key is damaged")
    return PrivateKeyForm(type_of(blob), blob, cipher != b"none")


def read_certificate(line: str) -> HostCertificate:
    """Read a certificate: type, base64, comment.

    Raises:
        MalformedError: it is no certificate, or damaged.
    """
    words = line.split(None, 2)
    try:
        data = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError, binascii.Error):
        raise MalformedError("not an ssh certificate") from None
    fields = _WireFields(data)
    kind = fields.string()
    plain = kind.decode("ascii", "replace").replace(_CERTIFICATE, "")
    type_name = _name_type(plain)
    if kind.decode("ascii", "replace") != words[0] or plain == words[0] or not type_name:
        raise MalformedError("not an ssh certificate")
    fields.string()  # a random number
    parts = [fields.string() for _ in range(_FIELDS[type_name])]
    fields.number(8)
    is_host = fields.number(4) == _HOST
    fields.string()
    fields.string()
    after_s, before_s = fields.number(8), fields.number(8)
    if not fields.is_sound:
        raise MalformedError("not an ssh certificate")
    blob = b"".join(len(each).to_bytes(4, "big") + each for each in [plain.encode(), *parts])
    return HostCertificate(blob, is_host, after_s, before_s)


class _WireFields:
    """Takes the fields of SSH's wire format one by one; what is missing is empty, and shows."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.is_sound = True

    @property
    def is_whole(self) -> bool:
        """Whether all fields were there, and nothing else."""
        return self.is_sound and self.at == len(self.data)

    def number(self, size: int) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self._take(size), "big")

    def string(self) -> bytes:
        """A string, after its length."""
        return self._take(self.number(4))

    def _take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        self.is_sound = self.is_sound and len(taken) == size
        self.at += len(taken)
        return taken


def key_blob(public: bytes) -> bytes:
    """The blob of a public key.

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
    return blob


def type_of(blob: bytes) -> str:
    """The type of a key, such as ``rsa``, by its public part; "" for an unknown one."""
    return _name_type(_WireFields(blob).string().decode("ascii", "replace"))


def _name_type(kind: str) -> str:
    if kind.startswith("ecdsa-sha2-nistp"):
        return "ecdsa"
    return {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519", "ssh-dss": "dsa"}.get(kind, "")


def public_line(blob: bytes, comment: str) -> bytes:
    """The content of a .pub file."""
    kind = _WireFields(blob).string()
    return with_comment(b" ".join((kind, base64.b64encode(blob))), comment)


def fingerprint(public: bytes) -> str:
    """Type and SHA-256 fingerprint of a public key, such as ``ssh-ed25519 SHA256:...``.

    Args:
        public: the content of a .pub file: type, base64, comment.

    Raises:
        MalformedError: it is not a public key.
    """
    blob = key_blob(public)
    kind = _WireFields(blob).string().decode("ascii")
    digest = base64.b64encode(sha256(blob).digest()).rstrip(b"=")
    return "%s SHA256:%s" % (kind, digest.decode("ascii"))


def describe_new(of_ours: str, of_given: str, made: int, given: int, kept: int) -> str:
    """What has become of a server's host keys, in one line.

    Args:
        of_ours, of_given: say how many were made, and how many of a cloud-config were put in place.
        made, given, kept: how many.
    """
    message = of_given % given if given else of_ours % made
    if given and made:
        message += ", %d made" % made
    if kept:
        message += ", %d kept" % kept
    return message
