"""Takes the SSH host keys that a cloud-config brings: ssh-keygen and sshd check them in a folder
that only root may look into. No message has a part of a private key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Dict, List, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.ssh import host_keys as formats
from lightinit.host.ssh.host_keys import FOLDER, GIVEN
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.model import NamedTuple

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKey

OWN = "the host has its own key of that type"


class TakenKeys(NamedTuple):
    """The given keys that can be used. They are in the folder GIVEN, with their public parts and
    certificates.

    Attributes:
        names: the names of the private keys.
        warnings: why others cannot be used.
    """

    names: List[str]
    warnings: List[str]


def name_of(kind: str) -> str:
    """The name of the file with the private key of a type, such as ``rsa``."""
    return "ssh_host_%s_key" % kind


def names_of(kinds: Sequence[str]) -> List[str]:
    """As :func:`name_of`, for several types."""
    return [name_of(kind) for kind in kinds]


def take(system: System, server: SshServer, keygen: str, keys: Sequence[GivenHostKey]) -> TakenKeys:
    """Check given keys, and put those that can be used into the folder GIVEN.

    Args:
        system: the live machine.
        server: sshd is asked whether it can load the keys.
        keygen: the path of ssh-keygen.
        keys: the keys; those without a private key are passed over.

    Raises:
        ProvisioningError: the folder cannot be written, or a program took too long.
    """
    system.remove_tree(GIVEN)
    taken = TakenKeys([], [])
    private = {"%s/%s" % (GIVEN, name_of(key.type)): key for key in keys if key.private}
    if not private:
        return taken
    system.make_dir(GIVEN, 0o700)
    for path, key in private.items():
        system.write(path, key.private.encode("utf-8", "replace"), 0o600, waits=True)
    refused = server.list_refused(system, list(private))
    for path, key in private.items():
        public, why = _find_public(system, keygen, path, key.public)
        if not why and path in refused:
            why = "sshd refuses it (%s)" % refused[path]
        if why:
            taken.warnings.append("ssh_keys.%s_private: %s; %s" % (key.type, why, OWN))
            system.remove(path)
            continue
        system.write(path + ".pub", public, waits=True)
        taken.names.append(name_of(key.type))
        write_certificate(system, key, path, public, taken.warnings)
    return taken


def write_certificate(
    system: System, key: GivenHostKey, path: str, public: bytes, warnings: List[str]
) -> None:
    """Write a certificate beside a private key, if it certifies that key.

    Args:
        system: the machine.
        key: the given key, with its certificate.
        path: the file with the private key.
        public: its public part.
        warnings: gets what is wrong with the certificate.

    Raises:
        ProvisioningError: it cannot be written.
    """
    fault = ""
    if not key.certificate:
        return
    try:
        found = formats.read_certificate(key.certificate)
        if found.blob != formats.key_blob(public):
            fault = "it certifies another key than the host has, so it is left out"
        elif not found.valid_after_s <= system.clock.time() < found.valid_before_s:
            warnings.append(
                "ssh_keys.%s_certificate: it is not valid now, so clients pass it over" % key.type
            )
    except MalformedError:
        fault = "the host has no such key to certify, so it is left out"
    if fault:
        warnings.append("ssh_keys.%s_certificate: %s" % (key.type, fault))
    else:
        system.write(
            path + "-cert.pub", key.certificate.encode("utf-8", "replace") + b"\n", waits=True
        )


def _find_public(system: System, keygen: str, path: str, given: str) -> Tuple[bytes, str]:
    """The public part of a private key, and why the key cannot be used."""
    ended = system.run([keygen, "-y", "-P", "", "-f", system.path(path)])
    if not ended.ok:
        said = ended.last_words.replace(system.path(path), "it")
        return b"", "ssh-keygen cannot read it (%s)" % said
    derived = ended.stdout.encode()
    try:
        blob = formats.key_blob(derived)
        if given and formats.key_blob(given.encode("utf-8", "replace")) != blob:
            return b"", "it does not fit the public key beside it"
    except MalformedError:
        return b"", "ssh-keygen finds no public key in it"
    if given:
        return given.encode("utf-8", "replace") + b"\n", ""
    if len(derived.split()) > 2:
        return derived, ""
    return formats.with_comment(derived, own_comment()), ""


def own_comment() -> str:
    """The comment that ssh-keygen gives the keys of this host."""
    return "root@%s" % os.uname().nodename


def add_certificates(system: System, keys: Sequence[GivenHostKey]) -> Tuple[List[str], List[str]]:
    """Put certificates without a private key beside the keys of this host that they certify.

    Returns:
        The certificates of all given keys that are in place; warnings.

    Raises:
        ProvisioningError: one cannot be written.
    """
    warnings: List[str] = []
    there: Dict[str, None] = {}
    for key in keys:
        place = "%s/%s" % (FOLDER, name_of(key.type))
        if not key.private:
            public = system.read_text(place + ".pub").encode("utf-8", "replace")
            write_certificate(system, key, place, public, warnings)
        if key.certificate and system.exists(place + "-cert.pub"):
            there[place + "-cert.pub"] = None
    return list(there), warnings
