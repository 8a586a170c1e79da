"""Public keys that sshd accepts, as the platform gives them: text in, checked keys out.

Pure: it knows no path and no user. What a line may look like is said in sshd(8), AUTHORIZED_KEYS
FILE FORMAT; what a key's blob holds in RFC 4253 section 6.6, RFC 5656, RFC 8709 and OpenSSH's
PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError

RSA_MIN_BITS = 1024  # what OpenSSH itself demands; below it a key would be ignored
RSA_ADVISED_BITS = 2048
MAX_PIECES = 400  # of a key that comes in several lines: RSA of 16384 bits in lines of 8 characters
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
_CERTIFICATE = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


@dataclass(frozen=True)
class PublicKey:
    """One key for an authorized_keys file.

    Attributes:
        kind: its type, such as ``ssh-ed25519``.
        blob: what the base64 stands for.
        line: the whole line, options and comment included, without a line end.
        notes: what an operator should know about it.
    """

    kind: str
    blob: bytes
    line: bytes
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class GivenKeys:
    """What one value of the platform holds.

    Attributes:
        keys: the keys that sshd will accept.
        certificates: x509 certificates as DER, whose public key is meant.
        refused: for everything else, why.
    """

    keys: Tuple[PublicKey, ...] = ()
    certificates: Tuple[bytes, ...] = ()
    refused: Tuple[MalformedError, ...] = ()


def read_given(text: str) -> GivenKeys:
    """Take apart a value that the platform gives as a public key.

    Args:
        text: one or several OpenSSH keys, LF or CRLF; or x509 certificates, PEM or bare base64 of
            DER. Line ends within a key's base64 are passed over: keys that Azure itself has
            generated come so.

    Returns:
        What it holds; never raises, since one bad key must not cost the good ones.
    """
    keys: List[PublicKey] = []
    refused: List[MalformedError] = []
    certificates: List[bytes] = []
    for body in _CERTIFICATE.findall(text):
        der = decode(re.sub(r"\s", "", body).encode("utf-8", "replace"))
        if der:
            certificates.append(der)
        else:
            refused.append(MalformedError("certificate is not base64"))
    if certificates or refused:
        return GivenKeys((), tuple(certificates), tuple(refused))
    bare = decode(re.sub(r"\s", "", text).encode("utf-8", "replace"))
    if bare and _is_der_sequence(bare):
        return GivenKeys((), (bare,), ())
    if re.search(r"-----? ?BEGIN ", text):
        return GivenKeys((), (), (_refuse_pem(text),))
    lines = [line.strip().lstrip("\ufeff") for line in re.split(r"[\r\n]+", text)]
    lines = [line for line in lines if line and not line.startswith("#")]
    while lines:
        try:
            keys.append(read_key(lines[0]))
            lines.pop(0)
        except MalformedError as error:
            key, lines = _join_broken(lines)
            if key is None:
                refused.append(error)
            else:
                keys.append(key)
    return GivenKeys(tuple(keys), (), tuple(refused))


def _join_broken(lines: Sequence[str]) -> Tuple[Optional[PublicKey], List[str]]:
    """The key that begins in the first line and goes on in the next ones, and the lines after it.

    Returns:
        None when there is none, and all lines but the first: each of them is then looked at for
        itself.
    """
    text = lines[0]
    if _begins_key(text):
        for count, line in enumerate(lines[1:MAX_PIECES], 2):
            if _begins_key(line):
                break
            text += line if len(text.split()) > 1 else " " + line
            try:
                return read_key(text), list(lines[count:])
            except MalformedError:
                pass
    return None, list(lines[1:])


def _begins_key(line: str) -> bool:
    words = split_options(line.encode("utf-8", "replace"))[1].split(None, 1)
    return bool(words) and looks_like_kind(words[0])


def read_key(line: str) -> PublicKey:
    """Read and check one line of the form ``[options] type base64 [comment]``.

    Raises:
        MalformedError: sshd would not accept it; the reason says why.
    """
    raw = line.encode("utf-8", "replace")
    if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in raw):
        raise MalformedError("ssh key holds control characters")
    options, rest = split_options(raw)
    words = rest.split(None, 2)
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
    return PublicKey(kind.decode(), blob, (options + b" " if options else b"") + rest, notes)


# -- lines
# --------------------------------------------------------------------------------------------------


def split_options(line: bytes) -> Tuple[bytes, bytes]:
    """A line's (options, rest). As sshd does it: a line that starts with a key type has none;
    quotes protect spaces.
    """
    line = line.strip(b" \t\r")
    if line.split(None, 1)[:1] and looks_like_kind(line.split(None, 1)[0]):
        return b"", line
    quoted = False
    at = 0
    while at < len(line) and (quoted or line[at : at + 1] not in (b" ", b"\t")):
        if line[at : at + 2] == b'\\"':
            at += 1
        elif line[at : at + 1] == b'"':
            quoted = not quoted
        at += 1
    rest = line[at:].strip(b" \t\r")
    if rest and looks_like_kind(rest.split(None, 1)[0]):
        return line[:at], rest
    return b"", line


def looks_like_kind(word: bytes) -> bool:
    """Whether a word is a key's type, be it known or not."""
    return re.match(rb"(?:sk-)?(?:ssh|ecdsa)-[A-Za-z0-9@.-]+\Z", word) is not None


# -- keys
# --------------------------------------------------------------------------------------------------


def decode(text: bytes) -> bytes:
    """What base64 stands for; b"" when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_der_sequence(data: bytes) -> bool:
    """Whether this is one DER SEQUENCE and nothing more, as a certificate is."""
    if len(data) < 2 or data[0] != 0x30:
        return False
    if data[1] < 0x80:
        return len(data) == 2 + data[1]
    size = data[1] & 0x7F
    return len(data) == 2 + size + int.from_bytes(data[2 : 2 + size], "big")


def _refuse_pem(text: str) -> MalformedError:
    if "PRIVATE KEY" in text:
        return MalformedError(
            "a private key was given in place of a public one",
            hint="replace that key: it is no secret any more; give the .pub file's line",
        )
    return MalformedError(
        "ssh key has a form that sshd does not read", hint="convert it with: ssh-keygen -i -f FILE"
    )


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
    fields = _fields(blob)
    name = kind.decode()
    if not fields or fields[0] != kind:
        raise MalformedError(
            "ssh key does not hold what its type says",
            type=name,
            hint="it may have been cut or changed when copied",
        )
    rest = fields[1:]
    notes: Tuple[str, ...] = ()
    if kind == b"ssh-rsa":
        sound = len(rest) == 2 and all(rest)
        bits = int.from_bytes(rest[1], "big").bit_length() if sound else RSA_MIN_BITS
        if bits < RSA_MIN_BITS:
            raise MalformedError(
                "rsa key is too short",
                bits=bits,
                at_least=RSA_MIN_BITS,
                hint="give an RSA key of 2048 bits or more, or an ed25519 key",
            )
        if sound and bits < RSA_ADVISED_BITS:
            notes = (
                "an RSA key of %d bits is short: newer sshd want %d" % (bits, RSA_ADVISED_BITS),
            )
    elif b"ecdsa" in kind:
        curve = kind.split(b"@")[0].rsplit(b"-", 1)[1]
        sound = len(rest) == (3 if kind.startswith(b"sk-") else 2) and rest[0] == curve
        sound = sound and len(rest[1]) == CURVES[curve] and rest[1][:1] == b"\x04"
    else:
        sound = len(rest) == (2 if kind.startswith(b"sk-") else 1) and len(rest[0]) == 32
    if not sound:
        raise MalformedError(
            "ssh key is damaged", type=name, hint="it may have been cut or changed when copied"
        )
    return notes


def _fields(blob: bytes) -> List[bytes]:
    """The length-prefixed strings that a blob is made of; [] when they do not fill it exactly."""
    fields = []
    at = 0
    while at < len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + size > len(blob):
            return []
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields
