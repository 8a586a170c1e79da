"""Keys in OpenSSH's form, put together from their parts by the RFCs, PROTOCOL.key and
PROTOCOL.certkeys. The secret part of private keys is none.
"""

from __future__ import annotations

import base64
import struct


def blob(*fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def text(kind: str, *fields: bytes, comment: str = "") -> str:
    body = base64.b64encode(blob(kind.encode(), *fields)).decode()
    return " ".join([kind, body] + ([comment] if comment else []))


def rsa(bits: int) -> str:
    return text("ssh-rsa", b"\x01\x00\x01", (1 << (bits - 1) | 1).to_bytes(bits // 8 + 1, "big"))


def private(public: str, cipher: bytes = b"none") -> str:
    """A private key as far as it shows without its secret part."""
    body = b"openssh-key-v1\0" + blob(cipher, b"none", b"") + b"\0\0\0\1"
    body += blob(base64.b64decode(public.split()[1]), b"s" * 64)
    lines = base64.encodebytes(body).decode()
    return "-----BEGIN OPENSSH PRIVATE KEY-----\n%s-----END OPENSSH PRIVATE KEY-----\n" % lines


def certificate(
    kind: str, *fields: bytes, is_host: bool = True, after_s: int = 0, before_s: int = 2**64 - 1
) -> str:
    """A certificate of the key with these fields; nobody has signed it."""
    data = blob(kind.encode(), b"n" * 32, *fields) + bytes(8) + struct.pack(">I", 1 + is_host)
    data += blob(b"id", b"") + struct.pack(">QQ", after_s, before_s) + blob(b"", b"", b"", b"", b"")
    return "%s %s host" % (kind, base64.b64encode(data).decode())


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
