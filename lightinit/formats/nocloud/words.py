"""Reads ``ds=nocloud;KEY=VALUE;…``, with which whoever starts a machine names its seed.

Source: cloud-init's documentation, "NoCloud": the word is on the kernel's command line or in the
serial number of SMBIOS. The manual of QEMU has ``cloud-init:ds=nocloud…`` as a string of SMBIOS
type 11.
"""

from __future__ import annotations

from typing import Dict, Iterable, Optional

# With a name that ends in -net, cloud-init waits for the network. Here the URL alone decides.
NAMES = ("nocloud", "nocloud-net", "nocloudnet")
PREFIXES = ("ds=", "ci.ds=")
OEM_PREFIX = "cloud-init:"
SHORT = {"h": "local-hostname", "i": "instance-id", "s": "seedfrom"}
LIMIT_CHARACTERS = 4096


def read_words(words: Iterable[str]) -> Optional[Dict[str, str]]:
    """The values of the last word that is meant for NoCloud.

    Args:
        words: the words of the kernel's command line, or of the serial number, without quotes.

    Returns:
        Values by their long names; a key without ``=`` has an empty value. None if no word is
        meant for NoCloud.
    """
    found: Optional[Dict[str, str]] = None
    for word in words:
        if len(word) > LIMIT_CHARACTERS:
            continue
        if not word.startswith(PREFIXES):
            continue
        name, _, rest = word.partition("=")[2].partition(";")
        if name.lower() in NAMES:
            found = _read_values(rest)
    return found


def _read_values(text: str) -> Dict[str, str]:
    values: Dict[str, str] = {}
    for item in text.split(";"):
        key, _, value = item.partition("=")
        if key:
            values[SHORT.get(key, key)] = value.strip("'\"")
    return values
