"""The SSH keys that the platform gives for the admin, read one by one.

Pure. A key comes in OpenSSH's form, as an x509 certificate, or as the fingerprint of a certificate.
"""

from __future__ import annotations

import re
from typing import Callable, List, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.ssh.public_keys import PublicKey, read_given, read_key
from lightinit.model import Certificate, SshKey


def read_given_keys(
    given: Sequence[SshKey], known: Sequence[Certificate], key_line: Callable[[bytes], str]
) -> Tuple[List[PublicKey], List[str]]:
    """Read all keys. One that cannot be used does not keep the others out.

    Args:
        given: the keys.
        known: certificates that a fingerprint may mean.
        key_line: takes an x509 certificate as DER and gives the line of its public key in OpenSSH's
            form; raises MalformedError.

    Returns:
        The keys that sshd accepts, and warnings: why others are refused, and what an operator
        should know about those that are accepted.
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
    """The PEM of the certificate with a fingerprint, in any case, with or without colons; "" if it
    is not known.
    """
    wanted = re.sub(r"[\s:]", "", fingerprint).upper()
    return next((each.certificate for each in known if wanted and each.thumbprint == wanted), "")
