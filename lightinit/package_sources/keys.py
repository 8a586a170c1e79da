"""The public keys of sources: given as text, or fetched from a key server (HKP) by their id.

No gpg is needed: lightinit takes the armour off, and accepts from a server only the key that has
the wanted fingerprint.
"""

from __future__ import annotations

import logging
import re
from typing import List, Optional, Tuple

from lightinit.errors import LightinitError, ProvisioningError, TransientError
from lightinit.formats.cloud_config.readers.sources.apt import GivenKey
from lightinit.formats.packages.openpgp import dearmour, is_named, read_keys
from lightinit.host.network.download import Downloader

LOG = logging.getLogger("lightinit.packages")

LIMIT_BYTES = 1024 * 1024
TIMEOUT_S = 30.0
HKP_PORT = 11371
LOOKUP = "/pks/lookup?op=get&options=mr&search=0x%s"
WHOLE = 40  # hex digits of a fingerprint
_SERVER = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>[^:/]+)(?::(?P<port>\d+))?/?\Z", re.I)


def read_key(key: GivenKey, downloader: Optional[Downloader] = None) -> Tuple[bytes, List[str]]:
    """The packets of a key, and warnings.

    Args:
        key: its text, or its id.
        downloader: None for one with the host's certificates.

    Raises:
        LightinitError: it is damaged, or no server has it.
    """
    if key.text:
        data = dearmour(key.text)
        read_keys(data)
        return data, []
    data = _fetch(key, downloader or Downloader())
    digits = len(key.id) - 2 * key.id.lower().startswith("0x")
    if digits < WHOLE:
        return data, [
            "the key %s is named by %d of its fingerprint's %d digits: others can make one with"
            " the same" % (key.id, digits, WHOLE)
        ]
    return data, []


def list_urls(key: GivenKey) -> List[str]:
    """Where a key may be, best first. HKP is HTTP; its names for that are hkp and hkps."""
    found = _SERVER.match(key.keyserver)
    if found is None:
        return []
    scheme, host, port = found.group("scheme", "host", "port")
    scheme = (scheme or "").lower()
    digits = key.id.upper()
    if digits.startswith("0X"):
        digits = digits[2:]
    secure, plain = "https://" + host, "http://" + host
    if port:
        secure, plain = "%s:%s" % (secure, port), "%s:%s" % (plain, port)
    elif scheme in ("hkp", ""):
        plain = "%s:%d" % (plain, HKP_PORT)
    wanted = {"hkps": [secure], "https": [secure], "hkp": [plain], "http": [plain]}
    return [each + LOOKUP % digits for each in wanted.get(scheme, [secure, plain])]


def _fetch(key: GivenKey, downloader: Downloader) -> bytes:
    last: LightinitError = ProvisioningError("url is not usable", url=key.keyserver)
    for url in list_urls(key):
        for _ in range(2):  # these servers are often busy
            try:
                return _select(key, downloader.get(url, TIMEOUT_S, LIMIT_BYTES))
            except TransientError as error:
                last = error
            except LightinitError as error:
                last = error
                break
    raise last


def _select(key: GivenKey, answer: bytes) -> bytes:
    keys = read_keys(dearmour(answer.decode("utf-8", "replace")))
    for fingerprint, packets in keys.items():
        if is_named(fingerprint, key.id):
            return packets
    raise ProvisioningError(
        "key server gave another key",
        wanted=key.id,
        hint="write the fingerprint of the key itself, not of a subkey",
    )
