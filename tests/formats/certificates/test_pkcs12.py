"""PKCS#12 as openssl makes it and as it does not: the other empty password, parts in parts, no
checksum, too much work.
"""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.certificates import der, pbe, pkcs12
from lightinit.formats.certificates.budget import Budget
from tests.lib.bundles import (
    DATA,
    NULL,
    Desk,
    attempt,
    bags_of,
    join,
    make_safe,
    need_legacy,
    needs_openssl,
    openssl,
    safes_of,
)

pytestmark = needs_openssl
NONE = ("-keypbe", "NONE", "-certpbe", "NONE")
THREE_DES = bytes.fromhex("060a2a864886f70d010c0103")
SHROUDED = bytes.fromhex("060b2a864886f70d010c0a0102")
NESTED = bytes.fromhex("060b2a864886f70d010c0a0106")
SECRET = bytes.fromhex("060b2a864886f70d010c0a0105")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: Any) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    made.make_pair("one")
    return made


def encrypt(data: bytes, password: bytes) -> bytes:
    """An EncryptedPrivateKeyInfo in 3DES, with cryptography's own hand."""
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    from lightinit.formats.certificates.ciphers import CIPHERS, DES_EDE3_CBC, make_algorithm

    key = pbe.derive("sha1", password, b"12345678", 3, pbe.FOR_KEY, 24)
    vector = pbe.derive("sha1", password, b"12345678", 3, pbe.FOR_VECTOR, 8)
    padding = 8 - len(data) % 8
    algorithm = make_algorithm(CIPHERS[DES_EDE3_CBC], key)
    encryptor = Cipher(algorithm, modes.CBC(vector), default_backend()).encryptor()
    parameters = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, b"12345678"), b"\2\1\3")
    return der.encode(
        der.SEQUENCE,
        der.encode(der.SEQUENCE, THREE_DES, parameters),
        der.encode(
            der.OCTET_STRING,
            encryptor.update(data + bytes((padding,)) * padding) + encryptor.finalize(),
        ),
    )


@pytest.mark.parametrize("password", [pbe.EMPTY, pbe.ABSENT], ids=["empty", "absent"])
def test_both_spellings_of_the_empty_password(desk: Desk, password: bytes) -> None:
    certificates, keys = safes_of(desk.pkcs12("one", *NONE))
    key = openssl("pkcs8", "-topk8", "-nocrypt", "-in", desk.at("one.key"), "-outform", "DER")
    assert key in keys
    shrouded = der.encode(der.SEQUENCE, SHROUDED, der.encode(0xA0, encrypt(key, password)))
    made = join([certificates, make_safe(shrouded)], password)
    assert desk.check_by_openssl(made).count("BEGIN PRIVATE KEY") == 1
    contents = pkcs12.read(made)
    assert (contents.keys, len(contents.certificates)) == ([key], 1)
    # Encrypted under one of them, checked under the other: that is damage.
    other = pbe.ABSENT if password else pbe.EMPTY
    assert attempt(pkcs12.read, join([certificates, make_safe(shrouded)], other)) == (
        "MalformedError",
        "certificate bundle cannot be decrypted",
    )


@pytest.mark.parametrize("plain", [b"", b"no key", b"\x30\x05key", b"\x30\x01kk", b"\x04\x01k"])
def test_what_a_wrong_key_gives_is_no_key_even_if_the_padding_is_right(
    desk: Desk, plain: bytes
) -> None:
    certificates, _ = safes_of(desk.pkcs12("one", *NONE))
    shrouded = der.encode(der.SEQUENCE, SHROUDED, der.encode(0xA0, encrypt(plain, pbe.EMPTY)))
    assert attempt(pkcs12.read, join([certificates, make_safe(shrouded)], pbe.EMPTY)) == (
        "MalformedError",
        "certificate bundle cannot be decrypted",
    )


@pytest.mark.parametrize("password", [pbe.EMPTY, pbe.ABSENT], ids=["empty", "absent"])
def test_both_spellings_where_cryptography_itself_must_read(desk: Desk, password: bytes) -> None:
    need_legacy()
    certificates, keys = safes_of(desk.pkcs12("one", *NONE))
    plain = der.encode(der.SEQUENCE, *bags_of(certificates))
    key = pbe.derive("sha1", password, b"12345678", 3, pbe.FOR_KEY, 5)
    vector = pbe.derive("sha1", password, b"12345678", 3, pbe.FOR_VECTOR, 8)
    encrypted = openssl(
        "enc",
        "-rc2-40-cbc",
        "-K",
        key.hex(),
        "-iv",
        vector.hex(),
        "-provider",
        "legacy",
        "-provider",
        "default",
        "-in",
        desk.write("plain", plain),
    )
    parameters = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, b"12345678"), b"\2\1\3")
    algorithm = der.encode(der.SEQUENCE, bytes.fromhex("060a2a864886f70d010c0106"), parameters)
    content = der.encode(der.SEQUENCE, DATA, algorithm, der.encode(0x80, encrypted))
    safe = der.encode(
        der.SEQUENCE,
        bytes.fromhex("06092a864886f70d010706"),
        der.encode(0xA0, der.encode(der.SEQUENCE, b"\2\1\0", content)),
    )
    contents = pkcs12.read(join([safe, keys], password))
    assert (len(contents.keys), contents.certificates) == (
        1,
        [openssl("x509", "-in", desk.at("one.crt"), "-outform", "DER")],
    )


def test_parts_in_parts(desk: Desk) -> None:
    certificates, keys = safes_of(desk.pkcs12("one", *NONE))
    inner = b"".join(bags_of(certificates) + bags_of(keys))
    for _ in range(4):
        inner = der.encode(der.SEQUENCE, NESTED, der.encode(0xA0, der.encode(der.SEQUENCE, inner)))
    contents = pkcs12.read(join([make_safe(inner)]))
    assert (len(contents.keys), len(contents.certificates)) == (1, 1)
    deeper = der.encode(der.SEQUENCE, NESTED, der.encode(0xA0, der.encode(der.SEQUENCE, inner)))
    with pytest.raises(MalformedError, match="part=bag, why=is too deep"):
        pkcs12.read(join([make_safe(deeper)]))


def test_what_else_is_in_it_is_left_out(desk: Desk) -> None:
    certificates, keys = safes_of(desk.pkcs12("one", *NONE))
    secret = der.encode(der.SEQUENCE, SECRET, der.encode(0xA0, der.encode(der.SEQUENCE, NULL)))
    contents = pkcs12.read(join([make_safe(secret), certificates, make_safe(), keys]))
    assert (len(contents.keys), len(contents.certificates)) == (1, 1)
    assert pkcs12.read(join([])) == pkcs12.Contents([], [])


def test_without_a_checksum_or_with_another_password(desk: Desk) -> None:
    with pytest.raises(MalformedError, match="certificate bundle has no mac"):
        pkcs12.read(desk.pkcs12("one", "-nomac"))
    with pytest.raises(MalformedError, match="certificate bundle has a wrong mac"):
        pkcs12.read(desk.pkcs12("one", "-passout", "pass:x"))


def test_too_much_work(desk: Desk) -> None:
    with pytest.raises(
        MalformedError, match="certificate bundle asks for too much work .*iterations=1000001"
    ):
        pkcs12.read(desk.pkcs12("one", "-iter", "1000001"))
    made = desk.pkcs12("one", "-iter", "2")
    for wrong in (made[:-1] + b"\0", made[:-1] + b"\xff"):
        assert attempt(pkcs12.read, wrong)[0] == "MalformedError"


@pytest.mark.parametrize(
    "options",
    [
        ("-iter", "2"),
        ("-iter", "2") + NONE,
        ("-iter", "2", "-macalg", "sha1", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
    ],
)
def test_each_flipped_bit(desk: Desk, options: Any) -> None:
    data = desk.pkcs12("one", *options)
    dice = random.Random(4)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << dice.randrange(8)
        assert attempt(pkcs12.read, bytes(damaged))[0] == "MalformedError", at
        assert attempt(pkcs12.read, data[:at])[0] == "MalformedError", at


def test_the_derivation_of_keys() -> None:
    """Two values that are known elsewhere: those of the tests of several libraries, for the
    password smeg.
    """
    password = "smeg".encode("utf-16-be") + b"\0\0"
    assert (
        pbe.derive("sha1", password, bytes.fromhex("0A58CF64530D823F"), 1, pbe.FOR_KEY, 24)
        .hex()
        .upper()
        == "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"
    )
    assert (
        pbe.derive("sha1", password, bytes.fromhex("0A58CF64530D823F"), 1, pbe.FOR_VECTOR, 8)
        .hex()
        .upper()
        == "79993DFE048D3B76"
    )


def with_salt(data: bytes, size: int) -> bytes:
    """A PKCS#12 whose checksum has a salt of ``size`` bytes. It need not be right."""
    version, content, mac = (each.whole for each in der.read(data, "x").children(der.SEQUENCE, "x"))
    info, _, count = (each.whole for each in der.read(mac, "x").children(der.SEQUENCE, "x"))
    salt = der.encode(der.OCTET_STRING, b"s" * size)
    return der.encode(der.SEQUENCE, version, content, der.encode(der.SEQUENCE, info, salt, count))


def test_a_long_salt_is_refused() -> None:
    """S5: 64 KiB of salt were repeated once for each of its own bytes, in 4.1 GiB."""
    for size in (1025, 65536):
        with pytest.raises(MalformedError, match="asks for too much work .*salt_bytes=%d" % size):
            pkcs12.read(with_salt(join([]), size))
    with pytest.raises(MalformedError, match="certificate bundle has a wrong mac"):
        pkcs12.read(with_salt(join([]), 1024))


def test_a_salt_takes_as_much_memory_as_it_has_blocks() -> None:
    tracemalloc.start()
    pbe.derive("sha1", pbe.EMPTY, b"s" * 65536, 1, pbe.FOR_MAC, 20)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * 1024 * 1024


def test_the_bundle_as_a_whole_has_a_budget() -> None:
    """S5: 8 bags, each with as many iterations as are allowed."""
    parameters = der.encode(
        der.SEQUENCE, der.encode(der.OCTET_STRING, b"saltsalt"), bytes.fromhex("02030f4240")
    )
    oid = bytes.fromhex("060a2a864886f70d010c0103")  # pbeWithSHA1And3-KeyTripleDES-CBC
    shrouded = der.encode(
        der.SEQUENCE,
        bytes.fromhex("060b2a864886f70d010c0a0102"),
        der.encode(
            0xA0,
            der.encode(
                der.SEQUENCE,
                der.encode(der.SEQUENCE, oid, parameters),
                der.encode(der.OCTET_STRING, bytes(16)),
            ),
        ),
    )
    with pytest.raises(MalformedError, match="asks for too much work .*iterations=3000000, left="):
        pkcs12.read(join([make_safe(*[shrouded] * 8)]))
    rc2 = shrouded.replace(oid, oid[:-1] + b"\x06")
    with pytest.raises(MalformedError, match="asks for too much work .*iterations=3000000, left="):
        pkcs12.read(join([make_safe(rc2)]))


def test_bags_and_keys_are_counted() -> None:
    nothing = der.encode(
        der.SEQUENCE, bytes.fromhex("060b2a864886f70d010c0a0104"), der.encode(0xA0, NULL)
    )
    assert pkcs12.read(join([make_safe(*[nothing] * 500)] * 2)) == pkcs12.Contents([], [])
    with pytest.raises(MalformedError, match="asks for too much work .*bags_limit=1000"):
        pkcs12.read(join([make_safe(*[nothing] * 500)] * 2 + [make_safe(nothing)]))
    budget = Budget()
    for _ in range(3):
        budget.spend_key(4680)  # RSA of 8192 bits
    with pytest.raises(MalformedError, match="asks for too much work .*private keys"):
        budget.spend_key(4680)
