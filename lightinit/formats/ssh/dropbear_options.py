"""dropbear's options: what they keep out, and how scripts and units give them. It has no
configuration file.

Pure. Semantics: dropbear(8); OpenWrt's /etc/config/dropbear as its wiki has it.
"""

from __future__ import annotations

import re
import shlex
from typing import Dict, List, Mapping, Sequence, Tuple

from lightinit.model import NamedTuple

# Those that take a value: the rest of the word, or the next one.
WITH_VALUE = "bcdrpPlWKITGAD2"
MAX_CHARS = 4096
# The variables with options in the scripts and units of Debian, Yocto, Alpine, Buildroot, Fedora
# and Void; the port comes before.
OPTION_NAMES = ("DROPBEAR_EXTRA_ARGS", "DROPBEAR_OPTS", "DROPBEAR_ARGS", "OPTIONS", "OPTS")
PORT_NAME = "DROPBEAR_PORT"
UCI_OFF = ("0", "no", "off", "false", "disabled")
UCI_FLAGS = {"passwordauth": "-s", "rootpasswordauth": "-g", "rootlogin": "-w"}
UCI_VALUES = {"port": "-p", "keyfile": "-r", "rsakeyfile": "-r", "forcecommand": "-c"}
# This file is imported whether or not there is dropbear. So its regular expressions are compiled
# where they are used.


class DropbearOptions(NamedTuple):
    """The options that decide about a login.

    Attributes:
        flags: the letters without a value.
        group: -G: only its members are let in, "" for everybody.
        command: -c: what runs in place of a shell, "" for a shell.
        ports: -p: each as it is there, such as ``127.0.0.1:22``.
        keys_folder: -D: the folder of authorized_keys.
        host_keys: -r: the files of the host keys; without any, dropbear has default places.
    """

    flags: str = ""
    group: str = ""
    command: str = ""
    ports: Tuple[str, ...] = ()
    keys_folder: str = "~/.ssh"
    host_keys: Tuple[str, ...] = ()


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
        tuple(dict.fromkeys(values.get("r", ()))),
    )


def read_started(
    units: Sequence[str], scripts: Sequence[str], files: Sequence[str], uci: str = ""
) -> DropbearOptions:
    """The options with which the init system starts dropbear, as far as its files say. A variable
    counts that its unit or script names.

    Args:
        units: the texts of systemd's unit and its drop-ins, in the order in which they count.
        scripts: the texts of the other init systems' scripts.
        files: the texts of the files with variables that both use.
        uci: the text of OpenWrt's /etc/config/dropbear.
    """
    variables = read_environment(units)
    for text in files:
        variables.update(read_variables(text))
    started = read_exec_start(units)
    if started:
        return read_options(expand(started[1:], variables))
    text = "\n".join(scripts)
    words = _literal_words(text)
    if PORT_NAME in text and variables.get(PORT_NAME):
        words += ["-p", variables[PORT_NAME]]
    for name in OPTION_NAMES:
        if name in text and re.search(r"\b%s\b" % name, text):
            words += split_words(variables.get(name, ""))
    return read_options(words + read_uci(uci))


def _literal_words(script: str) -> List[str]:
    """The options that stand in the line of a script that starts dropbear."""
    found: List[str] = []
    if not script:
        return found
    # It starts dropbear by its name, or by start-stop-daemon, whose own options end at "--".
    lines = re.findall(
        r"^(?:[^#\n]*[ \t]--|(?:[^#\n]*[;&|)({])?[ \t]*(?:exec[ \t]+)?[\w/.-]*dropbear)[ \t]+"
        r"(-[^\n]*)$",
        script.replace("\\\n", " "),
        re.MULTILINE,
    )
    for line in lines:
        for word in split_words(line.partition(" >")[0].partition(" 2>")[0]):
            if "$" not in word:
                found.append(word)
            elif found and found[-1][:1] == "-" and found[-1][-1] in WITH_VALUE:
                found.pop()  # the option whose value is not known
    return found


def read_uci(text: str) -> List[str]:
    """The options that OpenWrt's script makes of the first section ``dropbear`` that is in use."""
    sections: List[Dict[str, str]] = []
    for line in text.split("\n"):
        words = split_words(line)
        if words[:2] == ["config", "dropbear"]:
            sections.append({})
        elif words[:1] == ["option"] and len(words) == 3 and sections:
            sections[-1][words[1].lower()] = words[2]
    used = [each for each in sections if each.get("enable", "1").lower() not in UCI_OFF]
    found: List[str] = []
    for section in used[:1]:
        for name, flag in UCI_FLAGS.items():
            if section.get(name, "1").lower() in UCI_OFF:
                found.append(flag)
        for name, option in UCI_VALUES.items():
            if section.get(name):
                found += [option, section[name]]
    return found


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
        for line in re.findall(r"^Environment[ \t]*=[ \t]*(.*)$", text, re.MULTILINE)
        for word in split_words(line)
    ]
    return {name: value for name, _, value in pairs}


def read_exec_start(texts: Sequence[str]) -> List[str]:
    """The words of the last ExecStart of a unit, with its drop-ins in order; none without one."""
    lines = [
        line
        for text in texts
        for line in re.findall(
            r"^ExecStart[ \t]*=[ \t]*(.*)$", text.replace("\\\n", " "), re.MULTILINE
        )
    ]
    return split_words((lines or [""])[-1])


def expand(words: Sequence[str], variables: Mapping[str, str]) -> List[str]:
    """Words in which ``$NAME`` and ``${NAME}`` stand for variables, as systemd does it."""
    found: List[str] = []
    for word in words:
        name = word.strip("${}")
        if not word.startswith("$") or word.startswith("${"):
            found.append(_fill_in(word, variables))
        else:
            found += variables.get(name, "").split()
    return found


def _fill_in(word: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: variables.get(match.group(1), ""), word)


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
    match = re.search(r"\bv([0-9]{1,4})\.([0-9]{1,4})", said)
    if match is None:
        return 0, 0
    return int(match.group(1)), int(match.group(2))


def read_complaint(said: str) -> str:
    """Which option dropbear does not know, in its own words; "" if it knows all. That depends on
    how it was compiled: without password logins it has no ``-s``.
    """
    match = re.search(r"^Invalid option -\w.*$", said, re.MULTILINE)
    return match.group().strip() if match else ""


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
