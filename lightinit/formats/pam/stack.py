"""A service's stack of PAM modules: which modules PAM asks, and which of them can refuse.

Pure: the caller passes in a function that reads a service's file. Semantics: pam.conf(5). A hyphen
before the type only suppresses the log message about a missing module; the stack still refuses.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

from lightinit.formats.blanks import SPACES, words_of
from lightinit.model import NamedTuple

MAX_DEPTH = 16
MAX_LINES = 1000  # of a service with all its includes
_FAILURES = ("auth_err", "perm_denied", "acct_expired", "user_unknown", "default")
_MISSING = ("module_unknown",)
# These succeed for an account of this host. Whether it has expired is judged apart, by shadow.
_SUCCEEDS = ("pam_unix.so", "pam_permit.so")
_SIMPLE: Dict[str, Dict[str, str]] = {
    "required": {"success": "ok", "default": "bad"},
    "requisite": {"success": "ok", "default": "die"},
    "sufficient": {"success": "done", "default": "ignore"},
    "optional": {"success": "ok", "default": "ignore"},
}


class PamEntry(NamedTuple):
    """One module of a stack.

    Attributes:
        module: the name of its file, such as ``pam_access.so``.
        arguments: its arguments.
        counts: whether the stack refuses if this module refuses.
        certain: whether PAM asks it in any case, whatever the modules before it answer.
        path: as in the file: a name, or the path of a module elsewhere.
        kind: the stage: auth, account, password or session.
        needed: whether the stack refuses if this module is not installed.
        service: the program that asks, such as sshd.
        is_local: whether somebody who is logged in already asks, such as by sudo.
    """

    module: str
    arguments: Tuple[str, ...] = ()
    counts: bool = True
    certain: bool = True
    path: str = ""
    kind: str = "account"
    needed: bool = True
    service: str = "sshd"
    is_local: bool = False


class _Line(NamedTuple):
    actions: Dict[str, str]
    module: str
    arguments: Tuple[str, ...]
    inner: Tuple[PamEntry, ...] = ()


def read_stack(service: str, kind: str, read: Callable[[str], str]) -> List[PamEntry]:
    """The modules of a service, in order.

    Args:
        service: such as ``sshd``, or a path that an include names.
        kind: auth, account, password or session.
        read: takes a service; returns the text of its file, "" if there is none.
    """
    return _StackReader(kind, read).read_entries(service, 0)


class _StackReader:
    """Follows includes, within limits: a file may include itself."""

    def __init__(self, kind: str, read: Callable[[str], str]) -> None:
        self._kind = kind
        self._read = read
        self._lines_left = MAX_LINES

    def read_entries(self, service: str, depth: int) -> List[PamEntry]:
        """The modules of a service. Its jumps do not go beyond its end."""
        lines = self._read_lines(service, depth)
        found: List[PamEntry] = []
        ends = -1  # PAM may skip the modules up to this line
        for at, line in enumerate(lines):
            certain = at > ends
            found += [each._replace(certain=each.certain and certain) for each in line.inner]
            if line.module:
                name = line.module.rpartition("/")[2]
                found.append(
                    PamEntry(
                        name,
                        line.arguments,
                        _refuses(line, _FAILURES),
                        certain,
                        line.module,
                        self._kind,
                        _refuses(line, _MISSING),
                    )
                )
            ends = max([ends] + [at + each for each in _jumps(line, len(lines))])
        return found

    def _read_lines(self, service: str, depth: int) -> List[_Line]:
        found: List[_Line] = []
        if depth > MAX_DEPTH:
            return found
        for text in _join_lines(self._read(service)):
            words = _split(text)
            if self._lines_left <= 0:
                return found
            self._lines_left -= bool(words)
            if len(words) > 1 and words[0] == "@include":
                found += self._read_lines(words[1], depth + 1)
            elif len(words) > 2 and words[0].lstrip("-").lower() == self._kind:
                if words[1] == "include":
                    found += self._read_lines(words[2], depth + 1)
                elif words[1] == "substack":
                    inner = self.read_entries(words[2], depth + 1)
                    found.append(_Line({}, "", (), tuple(inner)))
                else:
                    found.append(_read_line(words))
        return found


def _join_lines(text: str) -> Iterator[str]:
    """The lines without comments. A backslash at the end of one joins the next line to it, but not
    after a comment, as in libpam.
    """
    begun: List[str] = []
    for line in text.split("\n"):
        plain, comment, _ = line.partition("#")
        ended = plain.rstrip(SPACES)
        if ended.endswith("\\") and not comment:
            begun.append(ended[:-1])
        else:
            yield " ".join([*begun, plain])
            begun = []
    yield " ".join(begun)


def _split(text: str) -> List[str]:
    """The words of a line. One in brackets may have spaces. For libpam, the carriage return of a
    file from Windows belongs to the last word, and no module has that name.
    """
    words: List[List[str]] = []
    inside = False
    for word in words_of(text, SPACES):
        if inside:
            words[-1].append(word)
        else:
            words.append([word])
            inside = word.startswith("[")
        inside = inside and not word.endswith("]")
    return [" ".join(pieces) for pieces in words]


def _read_line(words: Sequence[str]) -> _Line:
    control = words[1].lower()
    actions = _SIMPLE.get(control, {})
    if control.startswith("["):
        pairs = (pair.partition("=") for pair in words_of(control.strip("[]"), SPACES))
        actions = {name: action for name, _, action in pairs}
    return _Line(
        actions,
        words[2],
        tuple(word.strip("[]") for word in words[3:]),
    )


def _jumps(line: _Line, whole: int) -> List[int]:
    """How many of the next modules PAM may skip; ``whole`` if this one may end the stack."""
    actions = list(line.actions.values())
    if line.module.rpartition("/")[2] in _SUCCEEDS:
        actions = [line.actions.get("success", line.actions.get("default", "bad"))]
    found = [whole for action in actions if action == "done"]
    return found + [int(action) for action in actions if re.match(r"[0-9]{1,3}\Z", action)]


def _refuses(line: _Line, results: Sequence[str]) -> bool:
    """Whether one of a module's results makes the stack refuse."""
    default = line.actions.get("default", "bad")
    return any(line.actions.get(name, default) in ("bad", "die") for name in results)
