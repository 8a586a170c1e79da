"""Reads the SSH keys that the platform gives for the admin, one by one.

Pure. A key comes in OpenSSH's form, as an x509 certificate, or as the fingerprint of a certificate.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.ssh.public_keys import (
    PublicKey,
    decode,
    looks_like_kind,
    read_key,
    split_options,
    split_words,
)
from lightinit.model import Certificate, NamedTuple, SshKey

MAX_PIECES = 400  # lines of one key: RSA of 16384 bits in lines of 8 characters
MAX_CHARS = 32 * 1024  # of one value; a key is shorter
_END = "-----END"


class GivenKeys(NamedTuple):
    """The content of one value of the platform.

    Attributes:
        keys: the keys that sshd accepts.
        certificates: x509 certificates as DER, whose public keys are to be used.
        refused: for everything else, an error that says why it is refused.
    """

    keys: Tuple[PublicKey, ...] = ()
    certificates: Tuple[bytes, ...] = ()
    refused: Tuple[MalformedError, ...] = ()


def read_given_keys(
    given: Sequence[SshKey], known: Sequence[Certificate], key_line: Callable[[bytes], str]
) -> Tuple[List[PublicKey], List[str]]:
    """Read all keys. If a key cannot be used, the others are still used.

    Args:
        given: the keys from the platform.
        known: the certificates to which a fingerprint may refer.
        key_line: takes an x509 certificate as DER and returns its public key as a line in OpenSSH's
            form; raises MalformedError.

    Returns:
        The keys that sshd accepts, and warnings: why keys are refused, and remarks about accepted
        keys.
    """
    keys: List[PublicKey] = []
    warnings: List[str] = []
    for number, each in enumerate(given, 1):
        found, refused = _read(each, known, key_line)
        warnings += ["key %d of %d refused: %s" % (number, len(given), error) for error in refused]
        warnings += [note for key in found for note in key.notes]
        keys += found
    return keys, warnings


def _read(
    given: SshKey, known: Sequence[Certificate], key_line: Callable[[bytes], str]
) -> Tuple[List[PublicKey], List[MalformedError]]:
    read = read_given(given.text or _find_certificate(given.fingerprint, known))
    keys, refused = list(read.keys), list(read.refused)
    for der in read.certificates:
        try:
            keys.append(read_key(key_line(der)))
        except MalformedError as error:
            refused.append(error)
    if keys or refused:
        return keys, refused
    if given.fingerprint and not given.text:
        return [], [
            MalformedError(
                "certificate of the ssh key is unknown",
                fingerprint=ascii(given.fingerprint[:80]),
                hint="see what the boot says about certificates, or give the key itself",
            )
        ]
    return [], [MalformedError("ssh key is empty")]


def _find_certificate(fingerprint: str, known: Sequence[Certificate]) -> str:
    """The PEM of the certificate with this fingerprint; "" if there is none. The fingerprint may be
    in upper or lower case, with or without colons.
    """
    wanted = re.sub(r"[\s:]", "", fingerprint).upper()
    return next((each.certificate for each in known if wanted and each.thumbprint == wanted), "")


# -- one value
# --------------------------------------------------------------------------------------------------


def read_given(text: str) -> GivenKeys:
    """Read a value that the platform gives as a public key. It never raises an error, so that a bad
    key does not stop the good ones.

    Args:
        text: one or several OpenSSH keys with LF or CRLF; or x509 certificates, as PEM or as bare
            base64 of DER. Line ends within the base64 of a key are ignored, since keys that Azure
            generates have them.
    """
    keys: List[PublicKey] = []
    refused: List[MalformedError] = []
    certificates: List[bytes] = []
    if len(text) > MAX_CHARS:
        return GivenKeys((), (), (_too_long(text),))
    for body in _certificates(text):
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
    at = 0
    while at < len(lines):
        try:
            keys.append(read_key(lines[at]))
            at += 1
        except MalformedError as error:
            key, at = _join_broken(lines, at)
            if key is None:
                refused.append(error)
            else:
                keys.append(key)
    return GivenKeys(tuple(keys), (), tuple(refused))


def _certificates(text: str) -> Iterator[str]:
    """The base64 between BEGIN and END of each certificate. One without END is skipped."""
    mark = re.compile(r"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
    begin = mark.search(text)
    while begin is not None:
        end = text.find(_END, begin.end())
        if end < 0:
            return
        yield text[begin.end() : end]
        begin = mark.search(text, end)


def _too_long(text: str) -> MalformedError:
    return MalformedError("ssh key is too long", characters=len(text), limit=MAX_CHARS)


def _join_broken(lines: Sequence[str], at: int) -> Tuple[Optional[PublicKey], int]:
    """The key that begins in the line ``at`` and continues in the next ones, and the number of the
    line after it.

    Returns:
        Without such a key: None, and the number of the next line.
    """
    text = lines[at]
    if _begins_key(text):
        for count, line in enumerate(lines[at + 1 : at + MAX_PIECES], at + 2):
            if _begins_key(line):
                break
            if len(text.split()) == 1:
                text += " "  # so far there is only the type
            text += line
            try:
                return read_key(text), count
            except MalformedError:
                pass
    return None, at + 1


def _begins_key(line: str) -> bool:
    return looks_like_kind(split_words(split_options(line.encode("utf-8", "replace"))[1])[0])


def _is_der_sequence(data: bytes) -> bool:
    """Whether this is exactly one DER SEQUENCE, as a certificate is."""
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
            hint="make a new key, since this one is no longer secret; give the .pub file's line",
        )
    return MalformedError(
        "ssh key has a form that sshd does not read", hint="convert it with: ssh-keygen -i -f FILE"
    )
