"""dropbear's options: what they keep out. It has no configuration file.

Pure. Semantics: dropbear(8).
"""

from __future__ import annotations

import re
import shlex
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

# Those that take a value: the rest of the word, or the next one.
WITH_VALUE = "bcdrpPlWKITGAD2"
MAX_CHARS = 4096
_EXEC_START = re.compile(r"^ExecStart[ \t]*=[ \t]*(.*)$", re.MULTILINE)
_ENVIRONMENT = re.compile(r"^Environment[ \t]*=[ \t]*(.*)$", re.MULTILINE)
_VERSION = re.compile(r"\bv([0-9]{1,4})\.([0-9]{1,4})")


class DropbearOptions(NamedTuple):
    """The options that decide about a login.

    Attributes:
        flags: the letters without a value.
        group: -G: only its members are let in, "" for everybody.
        command: -c: what runs in place of a shell, "" for a shell.
        ports: -p: each as it is there, such as ``127.0.0.1:22``.
        keys_folder: -D: the folder of authorized_keys.
    """

    flags: str = ""
    group: str = ""
    command: str = ""
    ports: Tuple[str, ...] = ()
    keys_folder: str = "~/.ssh"


def read_options(words: Sequence[str]) -> DropbearOptions:
    """Read a command line without its first word."""
    flags = ""
    values: Dict[str, List[str]] = {}
    waiting = ""
    for word in words:
        if waiting:
            values.setdefault(waiting, []).append(word)
            waiting = ""
            continue
        if not word.startswith("-"):
            continue
        for at, letter in enumerate(word[1:], 2):
            if letter in WITH_VALUE:
                if word[at:]:
                    values.setdefault(letter, []).append(word[at:])
                else:
                    waiting = letter
                break
            flags += letter
    return DropbearOptions(
        flags,
        values.get("G", [""])[-1],
        values.get("c", [""])[-1],
        tuple(values.get("p", ())),
        values.get("D", ["~/.ssh"])[-1],
    )


def read_variables(text: str) -> Dict[str, str]:
    """The variables of a file that a shell or systemd reads."""
    found = {}
    for line in text.split("\n"):
        name, equals, value = line.strip().partition("=")
        if equals and re.match(r"(?:export )?[A-Za-z_]\w*\Z", name):
            words = split_words(value)
            found[name.rpartition(" ")[2]] = " ".join(words)
    return found


def read_environment(texts: Sequence[str]) -> Dict[str, str]:
    """The variables that a unit sets by itself."""
    pairs = [
        word.partition("=")
        for text in texts
        for line in _ENVIRONMENT.findall(text)
        for word in split_words(line)
    ]
    return {name: value for name, _, value in pairs}


def read_exec_start(texts: Sequence[str]) -> List[str]:
    """The words of the last ExecStart of a unit, with its drop-ins in order; none without one."""
    lines = [line for text in texts for line in _EXEC_START.findall(text.replace("\\\n", " "))]
    return split_words((lines or [""])[-1])


def expand(words: Sequence[str], variables: Mapping[str, str]) -> List[str]:
    """Words in which ``$NAME`` and ``${NAME}`` stand for variables, as systemd does it."""
    found: List[str] = []
    for word in words:
        name = word.strip("${}")
        if not word.startswith("$"):
            found.append(word)
        elif word.startswith("${"):
            found.append(variables.get(name, ""))
        else:
            found += variables.get(name, "").split()
    return found


def split_words(text: str) -> List[str]:
    """The words of a line for a shell; none if a quote is not closed, or the line is too long."""
    if len(text) > MAX_CHARS:
        return []  # shlex is slow with a long word
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def read_version(said: str) -> Tuple[int, int]:
    """(2022, 83), by what ``dropbear -V`` says; (0, 0) if it says none."""
    match = _VERSION.search(said)
    if match is None:
        return 0, 0
    return int(match.group(1)), int(match.group(2))


def refuse_key(kind: str, version: Tuple[int, int]) -> str:
    """Why a dropbear of a version takes no key of a type; "" if it may."""
    if version == (0, 0):
        return ""
    first = {"ssh-ed25519": (2020, 79)}.get(kind, (0, 0))
    if kind.startswith("sk-"):
        first = (2022, 82)
    if version >= first:
        return ""
    return "dropbear %d.%d knows no %s keys" % (version + (kind,))


def find_unreached(ports: Sequence[str], addresses: Sequence[str]) -> str:
    """Why nobody from outside reaches dropbear; "" if somebody may.

    Args:
        ports: as in ``DropbearOptions``.
        addresses: this host's addresses that others reach; none if they are not known.
    """
    hosts = [each.rpartition(":")[0].strip("[]") for each in ports]
    everywhere = ("", "0.0.0.0", "::")  # noqa: S104 - as dropbear has it
    if not hosts or not addresses or any(each in everywhere for each in hosts):
        return ""
    if any(each in addresses for each in hosts):
        return ""
    return "dropbear listens on no address that others reach: -p %s" % " ".join(ports)
