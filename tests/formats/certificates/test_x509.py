"""x509 certificates, made by openssl, become the key that ssh-keygen reads out of the same pair."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from typing import Any, List

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.certificates.ciphers import parse_by_library
from lightinit.formats.certificates.x509 import public_key_line
from lightinit.formats.ssh.given_keys import read_given
from lightinit.formats.ssh.public_keys import read_key

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
needs_openssl = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("ssh-keygen")) and not os.environ.get("CI"),
    reason="not installed here: openssl, ssh-keygen",
)


def make(folder: Any, *kind: str) -> str:
    """A self-signed certificate as PEM; its key lies beside it as ``key``."""
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-subj",
            "/CN=LinuxTransport",
            "-days",
            "2",
            "-newkey",
        ]
        + list(kind)
        + ["-keyout", str(folder / "key"), "-out", str(folder / "pem")]
    )
    return str((folder / "pem").read_text())


def run(argv: List[str]) -> str:
    return subprocess.run(
        argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ).stdout.decode()


def der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.split("-----")[2].split()))


@needs_openssl
@pytest.mark.parametrize("kind", [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]])
def test_the_key_is_that_of_the_pair(tmp_path: Any, kind: List[str]) -> None:
    pytest.importorskip("cryptography") if not os.environ.get("CI") else None
    pem = make(tmp_path, *kind)
    given = read_given(pem.replace("\n", "\r\n"))
    line = public_key_line(given.certificates[0])
    os.chmod(str(tmp_path / "key"), 0o600)
    assert line.split()[:2] == run(["ssh-keygen", "-y", "-f", str(tmp_path / "key")]).split()[:2]
    assert read_key(line).kind == line.split()[0]


@needs_openssl
def test_a_damaged_one_is_refused(tmp_path: Any) -> None:
    pytest.importorskip("cryptography") if not os.environ.get("CI") else None
    data = der(make(tmp_path, "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
    for damaged in (data[:-30], b"", b"\x30\x03\x02\x01\x01", b"x" * 100):
        with pytest.raises(MalformedError, match="x509 certificate cannot be read"):
            public_key_line(damaged)


@needs_openssl
def test_a_certificate_of_a_version_that_does_not_exist(tmp_path: Any) -> None:
    """N6: its parser raises InvalidVersion, which is no ValueError. OpenSSL, by which cryptography
    before 3.5 reads certificates, takes it; the key is then the certificate's.
    """
    pytest.importorskip("cryptography") if not os.environ.get("CI") else None
    data = der(make(tmp_path, "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
    sixth = data.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    assert sixth != data
    try:
        line = public_key_line(sixth)
    except MalformedError as error:
        assert "x509 certificate cannot be read" in str(error)
    else:
        assert line == public_key_line(data)


@needs_openssl
def test_no_changed_byte_of_a_certificate_raises_anything_else(tmp_path: Any) -> None:
    """N6: each byte in turn; such a certificate is refused or read, and costs nothing else."""
    pytest.importorskip("cryptography") if not os.environ.get("CI") else None
    data = der(make(tmp_path, "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
    for at in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            changed = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
            try:
                assert read_key(public_key_line(changed)).kind.startswith("ecdsa")
            except MalformedError:
                pass


class Panic(BaseException):
    """As a parser in Rust raises it."""


@pytest.mark.parametrize("error", [Panic("a"), KeyError("a"), RecursionError(), OverflowError()])
def test_whatever_a_parser_raises_is_an_error_of_this_one_key(error: BaseException) -> None:
    """N6: a panic of Rust is not even an Exception."""

    def work() -> None:
        raise error

    with pytest.raises(ValueError, match=type(error).__name__ + " of python cryptography"):
        parse_by_library(work)


@needs_openssl
def test_a_key_that_ssh_does_not_know_is_refused(tmp_path: Any) -> None:
    pytest.importorskip("cryptography") if not os.environ.get("CI") else None
    data = der(make(tmp_path, "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"))
    with pytest.raises(MalformedError, match="x509 certificate holds a key that ssh does not know"):
        public_key_line(data)


def test_without_cryptography_the_reason_says_so() -> None:
    # An interpreter without site-packages, so that it is really missing.
    script = (
        "import sys; sys.path.insert(0, %r)\n"
        "from lightinit.errors import MalformedError\n"
        "from lightinit.formats.certificates.x509 import public_key_line\n"
        "try:\n    public_key_line(b'x')\n"
        "except MalformedError as error:\n    print(error)\n" % HERE
    )
    said = run([sys.executable, "-I", "-S", "-c", script])
    assert said.startswith("x509 certificate cannot be read without python cryptography")
    assert "OpenSSH form" in said


def test_it_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys; sys.path.insert(0, %r); import"
        " lightinit.modules.ssh_authorized_keys\nprint([name for name in sys.modules if"
        " name.split('.')[0] in ('cryptography', 'subprocess', 'pathlib', 'tempfile', 'shutil',"
        " 'ipaddress')])" % HERE
    )
    assert run([sys.executable, "-I", "-S", "-c", script]).strip() == "[]"
