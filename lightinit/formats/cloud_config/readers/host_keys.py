"""SSH host keys: ``ssh_keys``, ``ssh_deletekeys``, ``ssh_genkeytypes``, and what is shown of them.

A private key that certainly cannot be used is left out here, with what is wrong with it; what only
ssh-keygen or sshd can tell is found at the boot. No message has a part of a private key.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, shown
from lightinit.formats.ssh.host_keys import (
    HostCertificate,
    key_blob,
    read_certificate,
    read_private,
    type_of,
)
from lightinit.model import NamedTuple, repr_without

KEYS = (
    "ssh_keys",
    "ssh_deletekeys",
    "ssh_genkeytypes",
    "ssh_quiet_keygen",
    "ssh",
    "ssh_fp_console_blacklist",
)
TYPES = ("rsa", "ecdsa", "ed25519")
# OpenSSH 9.8 and later know no DSA keys; those before it use none by default.
GONE = ("dsa",)
PARTS = ("private", "public", "certificate")
_ARMOUR = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")


class GivenHostKey(NamedTuple):
    """One host key. A text that is empty was not given.

    Attributes:
        type: rsa, ecdsa or ed25519.
        private: the private key, PEM or OpenSSH's format, with Unix line ends.
        public: the public key, one line.
        certificate: the host certificate, one line.
    """

    type: str
    private: str = ""
    public: str = ""
    certificate: str = ""

    def __repr__(self) -> str:
        return repr_without(self, "private")


class GivenHostKeys(NamedTuple):
    """What a cloud-config says of host keys.

    Attributes:
        keys: the keys that it brings.
        delete: whether the image's keys are removed first; None if nothing is said.
        types: the types that the host is to have; None for all.
        is_shown: whether fingerprints are shown on the console.
        hidden: key types, such as ``ssh-rsa``, whose fingerprints are not shown there.
    """

    keys: Tuple[GivenHostKey, ...] = ()
    delete: Optional[bool] = None
    types: Optional[Tuple[str, ...]] = None
    is_shown: bool = True
    hidden: Tuple[str, ...] = ()

    def shows(self, kind: str) -> bool:
        """Whether the fingerprint of a key of this type, such as ``ssh-rsa``, is shown."""
        return self.is_shown and kind not in self.hidden


def read_host_keys(values: Mapping[str, Any]) -> Tuple[GivenHostKeys, List[Mistake]]:
    """Read the host keys. A private key that cannot be used is left out, but counts among the types
    that the host is to have.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    given.flag("ssh_quiet_keygen")  # no output of ssh-keygen is shown anyway
    types = _types(given)
    keys, named = _keys(given)
    shows = given.section("ssh")
    is_shown = True
    if shows is not None:
        shows.know(("emit_keys_to_console",))
        is_shown = shows.yes("emit_keys_to_console", True)
    found = GivenHostKeys(
        keys,
        given.flag("ssh_deletekeys"),
        named or types,
        is_shown,
        given.texts("ssh_fp_console_blacklist"),
    )
    return found, given.mistakes


def _types(given: Section) -> Optional[Tuple[str, ...]]:
    if given.values.get("ssh_genkeytypes") is None:
        return None
    found = []
    for each in given.texts("ssh_genkeytypes", comma=True):
        if each in TYPES:
            found.append(each)
        elif each in GONE:
            given.wrong("ssh_genkeytypes", "OpenSSH has no DSA keys any more", "leave out dsa")
        else:
            given.wrong("ssh_genkeytypes", "a type is unknown", "write %s" % ", ".join(TYPES))
    if not found:
        given.wrong(
            "ssh_genkeytypes", "no type is left, so all are made", "write %s" % ", ".join(TYPES)
        )
    return tuple(dict.fromkeys(found)) or None


def _keys(given: Section) -> Tuple[Tuple[GivenHostKey, ...], Tuple[str, ...]]:
    """The keys, and the types of all private keys, also of those that cannot be used."""
    section = given.section("ssh_keys")
    if section is None:
        return (), ()
    known = ["%s_%s" % (kind, part) for kind in TYPES for part in PARTS]
    old = ["%s_%s" % (kind, part) for kind in GONE for part in PARTS]
    for key in section.values:
        if key in old:
            section.wrong(key, "OpenSSH has no DSA keys any more", "give an ed25519 key")
    section.know(known + old)
    found: List[GivenHostKey] = []
    named: List[str] = []
    for kind in TYPES:
        texts = {part: section.text("%s_%s" % (kind, part)).strip() for part in PARTS}
        if not any(texts.values()):
            continue
        if texts["private"]:
            named.append(kind)
        elif not texts["certificate"]:
            section.wrong(
                "%s_private" % kind,
                "there is no private key, so the other half is of no use",
                "write the whole file under %s, after |" % shown("%s_private" % kind),
            )
            continue
        read = _read_key(section, kind, texts)
        if read is not None:
            found.append(read)
    return tuple(found), tuple(named)


def _read_key(section: Section, kind: str, texts: Dict[str, str]) -> Optional[GivenHostKey]:
    private = ""
    public = " ".join(texts["public"].split())
    blob = _read_public(section, kind, public)
    if texts["private"]:
        private = _read_private(section, kind, texts["private"], blob)
        if not private or public and not blob:
            return None
    certificate = " ".join(texts["certificate"].split())
    if certificate and not _check_certificate(section, kind, certificate, blob):
        certificate = ""
    if not private and not certificate:
        return None
    return GivenHostKey(kind, private, public, certificate)


def _read_public(section: Section, kind: str, public: str) -> bytes:
    """The blob of a public key; b"" if there is none."""
    name = "%s_public" % kind
    if not public:
        return b""
    try:
        blob = key_blob(public.encode("utf-8", "replace"))
    except MalformedError:
        section.wrong(
            name,
            "it is no public key, so the private key is not used either",
            "write the line of the .pub file; or leave it out: it is derived from the private key",
        )
        return b""
    if type_of(blob) != kind:
        section.wrong(
            name,
            "its type is another one, so the private key is not used either",
            "write both halves of one key under their type; or leave this one out",
        )
        return b""
    return blob


def _read_private(section: Section, kind: str, text: str, public: bytes) -> str:
    """The private key, ready to be written; "" if it cannot be used."""
    name = "%s_private" % kind
    if text.startswith("PuTTY-User-Key-File"):
        section.wrong(
            name, "it has PuTTY's format", "convert it: puttygen KEY -O private-openssh -o FILE"
        )
        return ""
    private = _mend_lines(section, name, text)
    if not private:
        section.wrong(
            name, "it is no private key", "write the whole file under %s, after |" % shown(name)
        )
        return ""
    try:
        form = read_private(private)
    except MalformedError:
        section.wrong(
            name,
            "it is damaged or cut",
            "write the whole file, each line as far to the right as the first one",
        )
        return ""
    if form.is_encrypted:
        section.wrong(
            name,
            "it has a passphrase, and nobody types it at a boot",
            "take the passphrase off: ssh-keygen -p -N '' -f FILE",
        )
        return ""
    if form.type and form.type != kind:
        section.wrong(
            name,
            "it is a key of another type",
            "write it under `%s_private`" % form.type,
        )
        return ""
    if public and form.blob and form.blob != public:
        section.wrong(
            name,
            "its public key is not the one under %s" % shown("%s_public" % kind),
            "write both halves of one key; or leave the public one out: it is derived",
        )
        return ""
    return private


def _mend_lines(section: Section, name: str, text: str) -> str:
    """The lines of a private key as OpenSSH wants them; "" if it has no begin or no end. What has
    become of lines on their way through YAML and JSON is mended, since nothing else can be meant.
    """
    mended = text
    if "\r" in mended:
        section.wrong(name, "it has Windows line ends; taken as Unix ones", "convert it", True)
        mended = mended.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" not in mended and "\\n" in mended:
        section.wrong(
            name, "it has \\n in place of line ends; taken as such", "write it after |", True
        )
        mended = mended.replace("\\r", "").replace("\\n", "\n")
    begin, end = _ARMOUR.search(mended), _END.search(mended)
    if begin is None or end is None or end.start() < begin.end():
        return ""
    body = mended[begin.end() : end.start()]
    if "\n" not in body.strip():
        lines = body.split()
        if len(lines) > 1:
            section.wrong(
                name, "its lines are folded into one; taken as lines", "write it after |", True
            )
    else:
        lines = [line.strip() for line in body.strip().split("\n")]
    return "\n".join([begin.group(), *lines, end.group()]) + "\n"


def _check_certificate(section: Section, kind: str, text: str, public: bytes) -> bool:
    """Whether a certificate can be used."""
    name = "%s_certificate" % kind
    try:
        found: HostCertificate = read_certificate(text)
    except MalformedError:
        section.wrong(
            name, "it is no certificate, or damaged", "write the line of the -cert.pub file"
        )
        return False
    if not found.is_host:
        section.wrong(name, "it is a user's certificate", "sign the host key: ssh-keygen -s CA -h")
        return False
    if public and found.blob != public:
        section.wrong(name, "it certifies another key", "sign this host key: ssh-keygen -s CA -h")
        return False
    return True
