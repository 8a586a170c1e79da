"""Tells data that were meant to be of a known kind, and whose first line says otherwise."""

from __future__ import annotations

import difflib
import re

LINES = (
    "#cloud-config",
    "#cloud-config-archive",
    "#cloud-boothook",
    "#include",
    "#include-once",
    "## template: jinja",
)
# No other program has these keys.
_KEYS = re.compile(
    r"^(?:runcmd|bootcmd|write_files|packages|package_update|package_upgrade|power_state|chpasswd"
    r"|ssh_authorized_keys|final_message|phone_home)[ \t]*:",
    re.MULTILINE,
)
_NO_LETTER = re.compile("[^a-z]")
# What programs that pack begin with. Only gzip is unpacked, as in cloud-init.
PACKED = (
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
)
SEEN_CHARACTERS = 4096
SEEN_LINES = 20
LIKE = 0.85


def find_slip(data: bytes) -> str:
    """What is wrong with the first line, with what to do; "" if the data are of another kind.

    Args:
        data: data of no known kind.
    """
    for begins, name in PACKED:
        if data.startswith(begins):
            return "it is packed by %s, and only gzip is unpacked; pack it by gzip" % name
    text = data[:SEEN_CHARACTERS].decode("utf-8", "replace").lstrip("\ufeff").strip()
    lines = [line.strip() for line in text.splitlines()[:SEEN_LINES]] or [""]
    if lines[0].startswith("#"):
        letters = _NO_LETTER.sub("", lines[0][:60].lower())
        plain = {_NO_LETTER.sub("", each): each for each in LINES}
        for near in difflib.get_close_matches(letters, list(plain), 1, LIKE):
            return "its first line is nearly `%s`; write it in this way" % plain[near]
    if LINES[0] in lines:
        return "`%s` is not the first line; put it there" % LINES[0]
    if _KEYS.search(text):
        return "it has keys of a cloud-config; begin it with the line `%s`" % LINES[0]
    return ""
