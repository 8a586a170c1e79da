"""SSH host keys: ``ssh_keys``, ``ssh_deletekeys``, ``ssh_genkeytypes``."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, shown
from lightinit.model import repr_without

KEYS = ("ssh_keys", "ssh_deletekeys", "ssh_genkeytypes", "ssh_quiet_keygen")
TYPES = ("rsa", "ecdsa", "ed25519")
# OpenSSH 9.8 and later know no DSA keys.
GONE = ("dsa",)
PARTS = ("private", "public", "certificate")


class GivenHostKey(NamedTuple):
    """One host key. A text that is empty was not given.

    Attributes:
        type: rsa, ecdsa or ed25519.
        private: the private key, PEM or OpenSSH's format.
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
        types: the types to make if ``keys`` is empty; None if nothing is said.
    """

    keys: Tuple[GivenHostKey, ...] = ()
    delete: Optional[bool] = None
    types: Optional[Tuple[str, ...]] = None


def read_host_keys(values: Mapping[str, Any]) -> Tuple[GivenHostKeys, List[Mistake]]:
    """Read the host keys. A key without its private half is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    keys = GivenHostKeys(_keys(given), given.flag("ssh_deletekeys"), _types(given))
    return keys, given.mistakes


def _types(given: Section) -> Optional[Tuple[str, ...]]:
    if given.values.get("ssh_genkeytypes") is None:
        return None
    found = []
    for each in given.texts("ssh_genkeytypes"):
        if each in TYPES:
            found.append(each)
        else:
            given.wrong("ssh_genkeytypes", "a type is unknown", "write %s" % ", ".join(TYPES))
    return tuple(found) or None


def _keys(given: Section) -> Tuple[GivenHostKey, ...]:
    section = given.section("ssh_keys")
    if section is None:
        return ()
    known = ["%s_%s" % (kind, part) for kind in TYPES for part in PARTS]
    old = ["%s_%s" % (kind, part) for kind in GONE for part in PARTS]
    for key in section.values:
        if key in old:
            section.wrong(key, "OpenSSH has no DSA keys any more", "give an ed25519 key")
    section.know(known + old)
    found: Dict[str, GivenHostKey] = {}
    for kind in TYPES:
        texts = {part: section.text("%s_%s" % (kind, part)).strip() for part in PARTS}
        if not any(texts.values()):
            continue
        if "PRIVATE KEY-----" not in texts["private"]:
            section.wrong(
                "%s_private" % kind,
                "there is no private key, so the other half is of no use",
                "write the whole file under %s, after |" % shown("%s_private" % kind),
            )
            continue
        found[kind] = GivenHostKey(
            kind, texts["private"] + "\n", texts["public"], texts["certificate"]
        )
    return tuple(found.values())
