"""``write_files``: the files to write, each with its content, owner and mode."""

from __future__ import annotations

import base64
import posixpath
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.cloud_config.mistakes import Mistake, show_key
from lightinit.formats.cloud_config.readers.section import Section, written
from lightinit.gunzip import gunzip
from lightinit.model import NamedTuple, repr_without

KEYS = ("write_files",)
CONTENT_LIMIT_BYTES = 16 * 1024 * 1024
MODE = 0o644
OF_A_FILE = ("path", "content", "owner", "permissions", "encoding", "append", "defer")
# (is base64, is gzip); gzip without base64 comes from `!!binary`.
ENCODINGS: Dict[str, Tuple[bool, bool]] = {
    "": (False, False),
    "text/plain": (False, False),
    "b64": (True, False),
    "base64": (True, False),
    "gz": (False, True),
    "gzip": (False, True),
    "gz+b64": (True, True),
    "gz+base64": (True, True),
    "gzip+b64": (True, True),
    "gzip+base64": (True, True),
}
MODE_REMEDY = "write it in quotes, such as '0644'"


class GivenFile(NamedTuple):
    """One file to write. Its content may be a secret.

    Attributes:
        path: absolute, without . and ..
        content: the bytes, decoded and unpacked.
        mode: permission bits.
        owner: name or number of the user, or "" if nothing is said: root.
        group: name or number, or "".
        append: whether the content is added at the end of the file.
        defer: whether it is written late, after packages and accounts are there.
    """

    path: str
    content: bytes = b""
    mode: int = MODE
    owner: str = ""
    group: str = ""
    append: bool = False
    defer: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "content")


def read_files(values: Mapping[str, Any]) -> Tuple[Tuple[GivenFile, ...], List[Mistake]]:
    """Read the files, in order. One whose path or content is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    files = [_file(each) for each in given.sections("write_files")]
    return tuple(each for each in files if each is not None), given.mistakes


def join_appended(files: Sequence[GivenFile]) -> Tuple[GivenFile, ...]:
    """The files, with what is appended to a file joined to the entry before it of the same path:
    all of it is written at once, and a second run can tell whether it is there.
    """
    joined: List[GivenFile] = []
    places: Dict[Tuple[str, bool], int] = {}
    for each in files:
        place = places.get((each.path, each.defer))
        if not each.append or place is None:
            places[each.path, each.defer] = len(joined)
            joined.append(each)
            continue
        before = joined[place]
        after = before._replace(content=before.content + each.content, mode=each.mode)
        if each.owner or each.group:
            after = after._replace(owner=each.owner, group=each.group)
        joined[place] = after
    return tuple(joined)


def _file(given: Section) -> Optional[GivenFile]:
    if "source" in given:
        given.wrong("source", "it is not supported", "fetch the file by `runcmd`")
        if not given.values.get("content"):
            return None  # an empty file would take the place of what is there
    given.know((*OF_A_FILE, "source"))
    path = given.line("path")
    if not path or path.endswith("/"):
        given.wrong("path", "it is not the path of a file", "such as /etc/motd")
        return None
    if not path.startswith("/"):
        given.wrong("path", "it is relative; taken from /", "write /%s" % show_key(path), True)
    path = posixpath.normpath("/" + path.lstrip("/"))
    content = _content(given)
    if content is None:
        return None
    owner, group = _owner(given)
    return GivenFile(
        path, content, _mode(given), owner, group, given.yes("append"), given.yes("defer")
    )


def _owner(given: Section) -> Tuple[str, str]:
    text = given.line("owner").strip()
    owner, _, group = text.partition(":")
    if re.search(r"[\s:/]", owner + group) or (text and not owner and not group):
        given.wrong("owner", "it is not an owner; root is taken", "such as root:adm or www-data")
        return "", ""
    return owner, group


def _mode(given: Section) -> int:
    """The mode. All ways to write it are octal: '0644', 0644, 644, 0o644. A number that YAML made
    of ``0644`` has how it was written.
    """
    value = given.values.get("permissions")
    if value is None:
        return MODE
    text = _mode_text(value)
    # 420 and 493 are what 0644 and 0755 are in decimal; a tool that writes YAML writes them so.
    if isinstance(value, int) and written(value) == str(int(value)) and not _is_usual(text):
        text = "%o" % value if 0 <= value <= 0o7777 else ""
    if not re.match(r"[0-7]{1,4}\Z", text):
        given.wrong("permissions", "it is not an octal mode; 0644 is taken", MODE_REMEDY)
        return MODE
    mode = int(text, 8)
    if isinstance(value, int) and not written(value).startswith("0"):
        given.wrong(
            "permissions", "it is a number; taken as the mode %04o" % mode, MODE_REMEDY, True
        )
    return mode


def _mode_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = written(value).strip()
    if text[:2].lower() == "0o":
        text = text[2:]
    return text[-4:] if re.match(r"0[0-7]{4}\Z", text) else text


def _is_usual(text: str) -> bool:
    """Whether decimal digits look like a mode that somebody meant to be octal: 644, 600, 755, 1777.
    The owner may read, and nobody may do more than the owner.
    """
    if not re.match(r"[0-7]{3,4}\Z", text):
        return False
    owner, group, others = (int(digit) for digit in text[-3:])
    return bool(owner & 4) and owner | group == owner and group | others == group


def _from_base64(given: Section, data: bytes) -> bytes:
    """Decode base64. Other characters are passed over, as cloud-init does, and told."""
    joined = b"".join(data.split())
    try:
        return base64.b64decode(joined, validate=True)
    except ValueError:
        decoded = base64.b64decode(joined)
    given.wrong(
        "content",
        "characters that are not base64 are passed over",
        "as `base64 -w0` prints it",
        True,
    )
    return decoded


def _content(given: Section) -> Optional[bytes]:
    value = given.values.get("content")
    data = value if isinstance(value, bytes) else given.text("content").encode("utf-8")
    if isinstance(value, (bool, list, dict)):
        return None  # told; an empty file would take the place of what is there
    encoding = given.line("encoding").strip().lower()
    if encoding not in ENCODINGS:
        given.wrong(
            "encoding",
            "it is unknown; the content is taken as text",
            "write text/plain, b64, gzip or gz+b64",
        )
    is_base64, is_gzip = ENCODINGS.get(encoding, (False, False))
    try:
        if is_base64:
            data = _from_base64(given, data)
        if is_gzip:
            data = gunzip(data, CONTENT_LIMIT_BYTES)[0]
    except ValueError:
        given.wrong("content", "it is not base64", "as `base64 -w0 FILE` prints it")
        return None
    except MalformedError as error:
        given.wrong(
            "content",
            "it is not gzip: %s" % error.reason,
            "as `gzip <FILE | base64 -w0` prints it, with gz+b64",
        )
        return None
    return data
