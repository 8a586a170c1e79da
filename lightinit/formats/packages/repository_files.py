"""Files of other package managers' repositories: those of dnf and zypper, zypp.conf, apk's list."""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

HEAD = "# Written by lightinit, as a cloud-config says\n"


def write_repository(name: str, options: Sequence[Tuple[str, str]]) -> str:
    """The text of a ``.repo`` file: dnf.conf(5).

    Args:
        name: the repository's id.
        options: its options. Further lines of a value are indented.
    """
    lines = [HEAD, "[%s]\n" % name]
    lines += ["%s = %s\n" % (key, value.replace("\n", "\n ")) for key, value in options]
    return "".join(lines)


def set_options(text: str, options: Sequence[Tuple[str, str]]) -> str:
    """A file of ``key = value`` lines, such as zypp.conf, with these options. An assignment, also
    one in a comment, is replaced; the others are added at the end.
    """
    for key, value in options:
        line = "%s = %s" % (key, value)
        for begin in ("", r"##?[ \t]*"):
            pattern = re.compile(r"^%s%s[ \t]*=[^\n]*$" % (begin, re.escape(key)), re.MULTILINE)
            if pattern.search(text):
                text = pattern.sub(lambda _found, line=line: line, text, count=1)  # type: ignore[misc]
                break
        else:
            if text and not text.endswith("\n"):
                text += "\n"
            text += line + "\n"
    return text


def write_apk_list(
    base_url: str, version: str, community: bool, testing: bool, local_url: str
) -> str:
    """The text of /etc/apk/repositories.

    Args:
        base_url: the mirror.
        version: such as v3.12 or edge.
        community: whether the repository of that name is used.
        testing: whether edge/testing is used.
        local_url: one more mirror, or "".
    """
    base = base_url.rstrip("/")
    lines: List[str] = [HEAD.rstrip("\n"), "%s/%s/main" % (base, version)]
    if community:
        lines.append("%s/%s/community" % (base, version))
    if testing:
        lines.append("%s/edge/testing" % base)
    if local_url:
        lines.append("%s/%s" % (local_url.rstrip("/"), version))
    return "\n".join(lines) + "\n"
