"""Certificate bundles made on the spot by the real openssl, and the few that it cannot make, put
together from its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
from typing import Any, List, Tuple

import pytest

from lightinit.errors import LightinitError
from lightinit.formats.certificates import der, pbe
from lightinit.formats.certificates.transport_pair import TransportPair
from lightinit.formats.certificates.x509 import to_pem
from lightinit.model import Certificate

CI = bool(os.environ.get("CI"))
NULL = b"\x05\x00"
DATA = bytes.fromhex("06092a864886f70d010701")
SHA1 = bytes.fromhex("06052b0e03021a")


def can_run() -> bool:
    """Whether what these tests need is here."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        return False
    return shutil.which("openssl") is not None


needs_openssl = pytest.mark.skipif(
    not CI and not can_run(), reason="not installed here: openssl, python3-cryptography"
)


def openssl(*arguments: str) -> bytes:
    """Run openssl; gives what it printed."""
    ended = subprocess.run(
        ["openssl"] + list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout


def need_legacy() -> None:
    """Skip where openssl cannot make old bundles; on CI it can."""
    ended = subprocess.run(
        ["openssl", "list", "-provider", "legacy", "-cipher-algorithms"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if b"RC2" not in ended.stdout and not CI:
        pytest.skip("openssl has no legacy provider")


class Desk:
    """A folder with pairs of keys and certificates in it, and what openssl makes of them."""

    def __init__(self, folder: Any) -> None:
        self.folder = str(folder)

    def at(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def write(self, name: str, data: bytes) -> str:
        with open(self.at(name), "wb") as file:
            file.write(data)
        return self.at(name)

    def read(self, name: str) -> bytes:
        with open(self.at(name), "rb") as file:
            return file.read()

    def make_pair(self, name: str, *kind: str) -> None:
        """``name``.key and a self-signed ``name``.crt; small ones unless told otherwise."""
        openssl(
            "req",
            "-x509",
            "-nodes",
            "-subj",
            "/CN=" + name,
            "-days",
            "2",
            "-newkey",
            *(kind or ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")),
            "-keyout",
            self.at(name + ".key"),
            "-out",
            self.at(name + ".crt"),
        )

    def expected(self, name: str, with_key: bool = True) -> Certificate:
        """What is to come out for a pair, by openssl's own words."""
        text = openssl(
            "x509", "-in", self.at(name + ".crt"), "-noout", "-fingerprint", "-sha1"
        ).decode()
        key = (
            openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.at(name + ".key")).decode()
            if with_key
            else ""
        )
        return Certificate(
            text.partition("=")[2].strip().replace(":", ""),
            openssl("x509", "-in", self.at(name + ".crt")).decode(),
            key,
        )

    def pkcs12(self, name: str, *options: str) -> bytes:
        """A PKCS#12 of a pair."""
        openssl(
            "pkcs12",
            "-export",
            "-inkey",
            self.at(name + ".key"),
            "-in",
            self.at(name + ".crt"),
            "-out",
            self.at("made.p12"),
            "-passout",
            "pass:",
            *options,
        )
        return self.read("made.p12")

    def encrypt(self, data: bytes, transport: TransportPair, *options: str) -> bytes:
        """An envelope around ``data`` for a transport certificate; without options as Azure makes
        it.
        """
        self.write("transport.crt", to_pem("CERTIFICATE", transport.certificate).encode())
        self.write("plain", data)
        options = options or ("-aes128", "-keyid")
        before, _, after = " ".join(options).partition(" -keyopt")
        openssl(
            "cms",
            "-encrypt",
            "-binary",
            "-in",
            self.at("plain"),
            "-outform",
            "DER",
            "-out",
            self.at("envelope"),
            *before.split(),
            "-recip",
            self.at("transport.crt"),
            *(("-keyopt" + after).split() if after else ()),
        )
        return self.read("envelope")

    def check_by_openssl(self, data: bytes) -> str:
        """What openssl finds in a PKCS#12 with an empty password."""
        return openssl(
            "pkcs12", "-in", self.write("check.p12", data), "-nodes", "-passin", "pass:"
        ).decode()


def safes_of(data: bytes) -> List[bytes]:
    """The parts of a PKCS#12."""
    fields = der.read(data, "x").children(der.SEQUENCE, "x")
    content = fields[1].children(der.SEQUENCE, "x")[1].only_child(0xA0, "x").content
    return [safe.whole for safe in der.read(content, "x").children(der.SEQUENCE, "x")]


def bags_of(safe: bytes) -> List[bytes]:
    """The bags of a part that is not encrypted."""
    content = der.read(safe, "x").children(der.SEQUENCE, "x")[1].only_child(0xA0, "x").content
    return [bag.whole for bag in der.read(content, "x").children(der.SEQUENCE, "x")]


def join(safes: List[bytes], password: bytes = pbe.EMPTY) -> bytes:
    """A PKCS#12 of such parts, with a checksum."""
    whole = der.encode(der.SEQUENCE, *safes)
    key = pbe.derive("sha1", password, b"saltsalt", 2, pbe.FOR_MAC, 20)
    mac = hmac.new(key, whole, hashlib.sha1).digest()
    return der.encode(
        der.SEQUENCE,
        b"\2\1\3",
        der.encode(der.SEQUENCE, DATA, der.encode(0xA0, der.encode(der.OCTET_STRING, whole))),
        der.encode(
            der.SEQUENCE,
            der.encode(
                der.SEQUENCE,
                der.encode(der.SEQUENCE, SHA1, NULL),
                der.encode(der.OCTET_STRING, mac),
            ),
            der.encode(der.OCTET_STRING, b"saltsalt"),
            b"\2\1\2",
        ),
    )


def make_safe(*bags: bytes) -> bytes:
    """A part that is not encrypted."""
    return der.encode(
        der.SEQUENCE,
        DATA,
        der.encode(0xA0, der.encode(der.OCTET_STRING, der.encode(der.SEQUENCE, *bags))),
    )


def attempt(function: Any, *arguments: Any) -> Tuple[str, Any]:
    """(class of the error, "" for none; what came of it): any other error than lightinit's own goes
    through.
    """
    try:
        return "", function(*arguments)
    except LightinitError as error:
        return type(error).__name__, error.reason
