"""Where on this machine a NoCloud seed, or a word about one, may be. Nothing is read that is large
or slow, since every boot asks.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from lightinit.datasources.kernel_line import split_words
from lightinit.datasources.nocloud.settings import AUTO, LABEL, NONE
from lightinit.datasources.signs import Evidence
from lightinit.errors import LightinitError
from lightinit.formats.nocloud import oem_strings
from lightinit.formats.nocloud.words import OEM_PREFIX, read_words
from lightinit.host.system import System
from lightinit.model import NamedTuple

META_DATA, USER_DATA, VENDOR_DATA = "meta-data", "user-data", "vendor-data"
NETWORK_CONFIG = "network-config"
FILES = (META_DATA, USER_DATA, VENDOR_DATA, NETWORK_CONFIG)
# Together they must fit into instance.json, in base64.
LIMITS_BYTES: Dict[str, int] = {
    META_DATA: 256 * 1024,
    USER_DATA: 4 * 1024 * 1024,
    VENDOR_DATA: 1024 * 1024,
    NETWORK_CONFIG: 256 * 1024,
}
# cloud-init's documentation, "NoCloud".
FOLDERS = ("/var/lib/cloud/seed/nocloud", "/var/lib/cloud/seed/nocloud-net")
# systemd.system-credentials(7): what PID 1 got from SMBIOS, fw_cfg or the kernel's command line.
CREDENTIALS = "/run/credentials/@system"
CREDENTIAL_PREFIX = "lightinit."
CMDLINE = "/proc/cmdline"
SERIAL = "/sys/class/dmi/id/product_serial"
OEM_STRINGS = "/sys/firmware/dmi/entries/11-*/raw"
OEM_LIMIT_BYTES = 128 * 1024


class Given(NamedTuple):
    """What whoever started this machine says in a word ``ds=nocloud``.

    Attributes:
        values: by their long names.
        said_in: where the words are, for messages; empty if there are none.
    """

    values: Dict[str, str] = {}
    said_in: Tuple[str, ...] = ()


class SeedPlace(NamedTuple):
    """A place with a seed.

    Attributes:
        kind: ``folder``, ``credentials`` or ``volume``.
        where: the path of the folder, device or image.
        label: the volume's label.
    """

    kind: str
    where: str
    label: str = ""

    def __str__(self) -> str:
        if self.kind == "volume":
            return "the volume %s (%s)" % (self.label or "in the settings", self.where)
        if self.kind == "credentials":
            return "the seed in systemd's credentials %s*" % CREDENTIAL_PREFIX
        return "the seed folder %s" % self.where


def read_oem_strings(system: System) -> List[str]:
    """The strings of SMBIOS type 11. Only root can read them."""
    found: List[str] = []
    for name in system.glob(OEM_STRINGS)[:8]:
        try:
            found += oem_strings.read_strings(system.read(name, OEM_LIMIT_BYTES))
        except (OSError, LightinitError):
            continue
    return found


def read_given(evidence: Evidence) -> Given:
    """What the words say: those in SMBIOS' serial number count before those on the kernel's
    command line, as with cloud-init, and these before the strings of type 11.
    """
    oem = [
        text[len(OEM_PREFIX) :]
        for text in read_oem_strings(evidence.system)
        if text.startswith(OEM_PREFIX)
    ]
    values: Dict[str, str] = {}
    said_in: List[str] = []
    for name, words in (
        ("SMBIOS' serial number", split_words(evidence.dmi.product_serial or "")),
        ("the kernel's command line", list(evidence.words)),
        ("SMBIOS type 11", split_words(" ".join(oem))),
    ):
        said = read_words(words)
        if said is not None:
            values = {**said, **values}
            said_in.append(name)
    return Given(values, tuple(said_in))


def read_credentials(system: System) -> Dict[str, bytes]:
    """The files of a seed that came as credentials, from where systemd puts them, or where there is
    no systemd from SMBIOS itself. Those that are too large are left out.
    """
    found: Dict[str, bytes] = {}
    for file in FILES:
        try:
            name = "%s/%s%s" % (CREDENTIALS, CREDENTIAL_PREFIX, file)
            found[file] = system.read(name, LIMITS_BYTES[file])
        except (OSError, LightinitError):
            continue
    if not found:
        names = {CREDENTIAL_PREFIX + file: file for file in FILES}
        strings = read_oem_strings(system)
        read = oem_strings.read_credentials(strings, names)
        found = {names[name]: data for name, data in read.items()}
    return found


def find_places(evidence: Evidence, options: Mapping[str, Any]) -> List[SeedPlace]:
    """The places with a seed, those that count first: what comes from outside counts before what
    may have been left in an image.
    """
    system = evidence.system
    found: List[SeedPlace] = []
    given = read_credentials(system)
    if META_DATA in given or USER_DATA in given:
        found.append(SeedPlace("credentials", CREDENTIALS))
    found += _find_volumes(evidence, options)
    for folder in FOLDERS:
        if has_seed(system, folder):
            found.append(SeedPlace("folder", folder))
    return found


def has_seed(system: System, folder: str) -> bool:
    """Whether a folder has a file that makes it a seed."""
    return any(system.exists("%s/%s" % (folder, name)) for name in (META_DATA, USER_DATA))


def _find_volumes(evidence: Evidence, options: Mapping[str, Any]) -> List[SeedPlace]:
    media = str(options.get("media", AUTO))
    if media == NONE:
        return []
    if media != AUTO:
        there = evidence.system.exists(media)
        return [SeedPlace("volume", media)] if there else []
    label = str(options.get("label") or LABEL)
    return [SeedPlace("volume", each.device, each.label) for each in evidence.find_volumes([label])]
