"""The transport certificate, as openssl sees it."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.formats.certificates import der
from lightinit.formats.certificates.transport_pair import make_transport
from lightinit.formats.certificates.x509 import find_thumbprint
from tests.lib.bundles import Desk, needs_openssl, openssl

pytestmark = needs_openssl


@pytest.mark.parametrize("now_s", [-1e12, 0.0, 1.0, 1790000000.0, 4e9, 1e12])
def test_the_transport_certificate(tmp_path: Any, now_s: float) -> None:
    desk, pair = Desk(tmp_path), make_transport(now_s)
    path = desk.write(
        "t.crt",
        b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        % b"\n".join(pair.header[at : at + 64].encode() for at in range(0, len(pair.header), 64)),
    )
    text = openssl("x509", "-in", path, "-noout", "-text").decode()
    assert "Public-Key: (2048 bit)" in text and "Subject: CN = LinuxTransport" in text.replace(
        "CN=", "CN = "
    )
    assert (
        ":".join("%02X" % byte for byte in pair.key_id) in text.split("Subject Key Identifier")[1]
    )
    assert (
        openssl("verify", "-CAfile", path, "-attime", "1790000000", path).decode().endswith("OK\n")
    )
    # Whatever this VM's clock says, the certificate holds from 2000 to 2049.
    for at in (946684800, 2524607999):
        openssl("verify", "-CAfile", path, "-attime", str(at), path)
    assert "\n" not in pair.header and der.read(pair.certificate, "x").whole == pair.certificate
    assert len(find_thumbprint(pair.certificate)) == 40
    assert "key=" not in repr(pair)


def test_no_two_pairs_are_the_same() -> None:
    first, second = make_transport(0.0), make_transport(0.0)
    assert first.serial != second.serial and first.key_id != second.key_id
