"""Reads the output of ``sudo -l -l -U USER``: do the rules let the user become root?

Pure: text in, an answer out. The last rule that matches counts (sudoers(5)). sudo-rs prints the
same form.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.model import NamedTuple

# With one of these settings, sudo asks for a password that is not the user's own.
FOREIGN_PASSWORD = ("targetpw", "rootpw", "runaspw")
DATES = ("NotBefore", "NotAfter")
SERVICES = ("sudo", "sudo-i")
ANY = "*"  # the user may choose the directory
ROOT_NAMES = ("ALL", "root", "#0")
_ALLOWED = re.compile(r"^User \S+ may run the following commands on ", re.MULTILINE)
_NOT_ALLOWED = re.compile(r"^User \S+ is not allowed to run sudo on ", re.MULTILINE)
_DEFAULTS = re.compile(r"^Matching Defaults entries for ")
_SPECIAL_DEFAULTS = re.compile(r"^ +Defaults[!>@:]\S+ +(.*)$")
# A rule of a directory service is an "LDAP Role".
_ENTRY = re.compile(r"^(?:Sudoers entry|LDAP Role):[ \t]*(.*)$")


class SudoEntry(NamedTuple):
    """One rule.

    Attributes:
        source: its file or its LDAP role; "" if this version of sudo does not print it.
        run_as: the users as whom commands may run.
        options: such as ``!authenticate``.
        commands: the allowed commands; with a ``!``, the forbidden ones.
        dated: whether it applies between certain dates only.
        root_dir: the directory that commands get as their root, "" for the host's root.
        work_dir: the directory in which commands start; "" for that of the user.
    """

    source: str
    run_as: Tuple[str, ...]
    options: Tuple[str, ...]
    commands: Tuple[str, ...]
    dated: bool = False
    root_dir: str = ""
    work_dir: str = ""

    def concerns_root(self) -> bool:
        """Whether it may apply to commands that run as root."""
        if any("!" + name in self.run_as for name in ROOT_NAMES):
            return False
        return any(name in ROOT_NAMES or name.startswith("%") for name in self.run_as)

    def allows_all(self) -> bool:
        """Whether it allows every command at any time: no later entry of ``commands`` forbids all
        again.
        """
        if self.dated:
            return False
        words = [word for word in self.commands if word in ("ALL", "!ALL")]
        return words[-1:] == ["ALL"]

    def forbids(self) -> bool:
        """Whether it forbids any command."""
        return any(word.startswith("!") for word in self.commands)

    def asks(self, by_default: bool) -> bool:
        """Whether it asks for a password."""
        for option in reversed(self.options):
            if option.lstrip("!") == "authenticate":
                return option == "authenticate"
        return by_default

    def __str__(self) -> str:
        shown = "(%s) %s" % (", ".join(self.run_as), ", ".join(self.commands[:3]))
        if not self.source:
            return shown
        return "%s in %s" % (shown, self.source)


class SudoListing(NamedTuple):
    """The rules and settings of one user, in the order in which sudo reads them."""

    entries: Tuple[SudoEntry, ...]
    settings: Tuple[str, ...]

    def is_set(self, name: str, by_default: bool) -> bool:
        """Whether a setting is on. If it occurs several times, the last one counts."""
        for word in reversed(self.settings):
            if word.lstrip("!") == name:
                return not word.startswith("!")
        return by_default

    def value_of(self, name: str) -> str:
        """The value of a setting, "" if it has none; the last word counts."""
        for word in reversed(self.settings):
            key, _, value = word.partition("=")
            if key.lstrip("!") == name:
                return value.strip('"')
        return ""


def read_listing(text: str) -> Optional[SudoListing]:
    """Read sudo's output; None if it is not a listing."""
    if _NOT_ALLOWED.search(text):
        return SudoListing((), ())
    start = _ALLOWED.search(text)
    if start is None:
        return None
    return SudoListing(
        tuple(_read_entries(text[start.end() :])), tuple(_read_settings(text[: start.start()]))
    )


def _read_settings(text: str) -> List[str]:
    """The settings in sudo's order: those for certain commands or target users come last."""
    general: List[str] = []
    special: List[str] = []
    inside = False
    for line in text.split("\n"):
        match = _SPECIAL_DEFAULTS.match(line)
        if match:
            special += match.group(1).split(", ")
        elif _DEFAULTS.match(line):
            inside = True
        elif inside and line.startswith(" "):
            general += line.split(",")
        else:
            inside = False
    return [word.strip() for word in general + special]


def _read_entries(text: str) -> List[SudoEntry]:
    found = []
    source = ""
    fields: Dict[str, str] = {}
    commands: List[str] = []
    lines = text.split("\n") + ["Sudoers entry:"]
    for line in lines:
        start = _ENTRY.match(line)
        name, colon, value = line.strip().partition(":")
        if start:
            if commands:
                found.append(_make_entry(source, fields, commands))
            source, commands, fields = start.group(1).strip(), [], {}
        elif line.startswith("\t"):
            commands.append(line.strip())
        elif colon:
            fields[name] = value
    return found


def _make_entry(source: str, fields: Dict[str, str], commands: Sequence[str]) -> SudoEntry:
    return SudoEntry(
        source,
        _split(fields.get("RunAsUsers", "")),
        _split(fields.get("Options", "")),
        tuple(commands),
        any(name in fields for name in DATES),
        fields.get("Chroot", "").strip(),
        fields.get("Cwd", "").strip(),
    )


def _split(text: str) -> Tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def judge(text: str, password: bool, groups: Sequence[str] = ()) -> Optional[str]:
    """:func:`why_not_root` for sudo's output; None if the output is not a listing."""
    listing = read_listing(text)
    if listing is None:
        return None
    return why_not_root(listing, password, groups)


def why_not_root(listing: SudoListing, password: bool, groups: Sequence[str] = ()) -> str:
    """Why a user cannot run every command as root; "" if the user can.

    Args:
        listing: the user's rules.
        password: whether the user has a password, which sudo may ask for.
        groups: the names of the user's groups. One of them may be exempt from passwords.
    """
    exempt = listing.value_of("exempt_group") in groups
    entries = [entry for entry in listing.entries if entry.concerns_root()]
    for at in range(len(entries) - 1, -1, -1):
        if entries[at].allows_all():
            return _why_not(listing, entries[at:], password, exempt)
        if "!ALL" in entries[at].commands:
            return "a rule forbids every command: %s" % str(entries[at])
    return "no rule lets the user run every command as root"


def _why_not(
    listing: SudoListing, entries: Sequence[SudoEntry], password: bool, exempt: bool
) -> str:
    """As :func:`why_not_root`, for the last rule that allows every command and those after it."""
    for entry in entries:
        if entry.forbids():
            return "a rule forbids commands: %s" % str(entry)
        if entry.root_dir not in ("", ANY):
            return "a rule runs commands with %s as their root: %s" % (entry.root_dir, entry)
        if "noexec" in entry.options:
            return "a rule lets no command start another one (noexec): %s" % str(entry)
    return _why_not_settings(listing) or _why_not_password(listing, entries, password, exempt)


def _why_not_settings(listing: SudoListing) -> str:
    root_dir, target = listing.value_of("runchroot"), listing.value_of("runas_default")
    if root_dir not in ("", ANY):
        return "a setting runs commands with %s as their root (runchroot)" % root_dir
    if listing.is_set("noexec", False):
        return "a setting lets no command start another one (noexec)"
    if target not in ("", *ROOT_NAMES):
        return "sudo runs commands as %s, not as root (runas_default)" % target
    return ""


def _why_not_password(
    listing: SudoListing, entries: Sequence[SudoEntry], password: bool, exempt: bool
) -> str:
    if exempt:
        return ""
    if not password:
        for entry in entries:
            if entry.asks(listing.is_set("authenticate", True)):
                return "a rule asks for a password: %s" % str(entry)
        return ""
    foreign = [name for name in FOREIGN_PASSWORD if listing.is_set(name, False)]
    if foreign and any(entry.asks(listing.is_set("authenticate", True)) for entry in entries):
        return "sudo asks for a password that is not the user's own: %s" % ", ".join(foreign)
    return ""


def list_work_dirs(listing: SudoListing) -> List[str]:
    """The directories in which sudo starts commands. If one does not exist, sudo runs nothing."""
    found = [listing.value_of("runcwd")] + [each.work_dir for each in listing.entries[-1:]]
    return [each for each in found if each.startswith("/")]


def list_services(listing: SudoListing) -> List[str]:
    """The services of PAM whose stage account sudo asks: for ``sudo``, and for ``sudo -i``."""
    if not listing.is_set("pam_acct_mgmt", True):
        return []
    named = (listing.value_of("pam_service"), listing.value_of("pam_login_service"))
    found = [name or default for name, default in zip(named, SERVICES)]
    return list(dict.fromkeys(found))
