"""Language, trust and services: ``locale``, ``keyboard``, ``ca_certs``, ``rsyslog`` and more."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.places import WHAT, is_closed, read_place
from lightinit.formats.cloud_config.readers.section import FALSE, Section, written
from lightinit.model import NamedTuple

KEYS = (
    "locale",
    "locale_configfile",
    "keyboard",
    "ca_certs",
    "ca-certs",
    "manage_resolv_conf",
    "resolv_conf",
    "rsyslog",
    "rsyslog_dir",
    "rsyslog_filename",
)
OF_SYSLOG = (
    "config_dir",
    "config_filename",
    "configs",
    "remotes",
    "service_reload_command",
    "install_rsyslog",
    "packages",
    "check_exe",
)
# Keys beside the old list, and what to write instead.
OLD_SYSLOG = {
    "rsyslog_dir": "below `rsyslog` write `config_dir`",
    "rsyslog_filename": "below `rsyslog` write `config_filename`",
}
# [selector] [@|@@]host[:port] [# comment]
_REMOTE = re.compile(
    r"\s*(?:(?P<selector>[^\s#@]\S*)\s+)?(?P<protocol>@{0,2})"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?"
    r"\s*(?:#.*)?\Z"
)
_LOCALE = re.compile(r"[A-Za-z0-9_.@-]+\Z")
_WORDS = re.compile(r"[A-Za-z0-9_,:.()+ -]*\Z")
CERTIFICATE = re.compile(
    r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----"
)


class GivenKeyboard(NamedTuple):
    """The keyboard, as XKB names it."""

    layout: str
    model: str = "pc105"
    variant: str = ""
    options: str = ""


class GivenTrust(NamedTuple):
    """Certificate authorities.

    Attributes:
        remove_defaults: whether the system's own are no longer trusted.
        trusted: certificates in PEM.
    """

    remove_defaults: bool = False
    trusted: Tuple[str, ...] = ()


class GivenResolver(NamedTuple):
    """What goes into resolv.conf; ``options`` are (name, value), with "" for none."""

    nameservers: Tuple[str, ...] = ()
    searchdomains: Tuple[str, ...] = ()
    domain: str = ""
    sortlist: Tuple[str, ...] = ()
    options: Tuple[Tuple[str, str], ...] = ()


class GivenSyslog(NamedTuple):
    """What ``rsyslog`` says.

    Attributes:
        files: (name below ``folder``, text). Texts of one name are parts of one file.
        remotes: (name, where to), such as ``*.* @@10.0.0.1:10514``.
        folder: where the files lie.
        usual: the file with the remotes.
        command: what makes it read them, or nothing for the init system's own.
    """

    files: Tuple[Tuple[str, str], ...] = ()
    remotes: Tuple[Tuple[str, str], ...] = ()
    folder: str = "/etc/rsyslog.d"
    usual: str = "20-cloud-config.conf"
    command: Tuple[str, ...] = ()


class GivenServices(NamedTuple):
    """What a cloud-config says of these. None and "": nothing is said.

    Attributes:
        locale: such as ``de_DE.UTF-8``.
        locale_file: where it is written, if not in the distribution's file.
        keyboard, trust, resolver, syslog: as their classes say.
    """

    locale: str = ""
    locale_file: str = ""
    keyboard: Optional[GivenKeyboard] = None
    trust: Optional[GivenTrust] = None
    resolver: Optional[GivenResolver] = None
    syslog: Optional[GivenSyslog] = None


def read_services(values: Mapping[str, Any]) -> Tuple[GivenServices, List[Mistake]]:
    """Read these keys. What is wrong is left out.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    locale, locale_file = _locale(given)
    services = GivenServices(
        locale,
        locale_file,
        _keyboard(given),
        _trust(given),
        _resolver(given),
        _syslog(given),
    )
    return services, given.mistakes


def _locale(given: Section) -> Tuple[str, str]:
    locale = ""
    if given.values.get("locale") is not False:
        locale = given.line("locale").strip()
    if locale.lower() in FALSE:
        locale = ""  # as cloud-init takes it, also as a text
    if locale and not _LOCALE.match(locale):
        given.wrong("locale", "no locale has this name", "such as de_DE.UTF-8")
        locale = ""
    path = read_place(given, "locale_configfile", "/etc/default/locale")
    if path and not locale:
        what = "it has no effect without `locale`"
        given.wrong("locale_configfile", what, "write `locale`, too")
        path = ""
    return locale, path


def _keyboard(given: Section) -> Optional[GivenKeyboard]:
    section = given.section("keyboard")
    if section is None:
        return None
    section.know(GivenKeyboard._fields)
    texts = {key: section.line(key).strip() for key in GivenKeyboard._fields}
    for key, text in texts.items():
        if not _WORDS.match(text) or (key == "layout" and not text):
            section.wrong(key, "no keyboard has this", "such as `layout: de`")
            return None
    texts["model"] = texts["model"] or "pc105"
    return GivenKeyboard(**texts)


def _trust(given: Section) -> Optional[GivenTrust]:
    section = given.section("ca_certs") or given.section("ca-certs")
    if section is None:
        return None
    section.know(("remove_defaults", "trusted"), {"remove-defaults": "remove_defaults"})
    trusted: List[str] = []
    for each in section.texts("trusted"):
        found = [part + "\n" for part in CERTIFICATE.findall(each)]
        if not found:
            section.wrong("trusted", "an item is no certificate in PEM", "write it after `- |`")
        trusted += found
    removed = section.yes("remove_defaults") or section.yes("remove-defaults")
    return GivenTrust(removed, tuple(trusted))


def _resolver(given: Section) -> Optional[GivenResolver]:
    section = given.section("resolv_conf")
    if not given.yes("manage_resolv_conf"):
        if section is not None:
            what = "it has no effect without `manage_resolv_conf: true`"
            given.wrong("resolv_conf", what, "write that besides")
        return None
    if section is None:
        given.wrong("manage_resolv_conf", "there is no `resolv_conf`", "write it, too")
        return None
    section.know(GivenResolver._fields)
    options: List[Tuple[str, str]] = []
    named = section.section("options")
    if named is not None:
        for key, value in named.values.items():
            if value is not False and value is not None:
                options.append((key, "" if value is True else written(value)))
    lists = {key: section.texts(key) for key in ("nameservers", "searchdomains", "sortlist")}
    found = GivenResolver(domain=section.line("domain"), options=tuple(options), **lists)
    words = [*found.nameservers, *found.searchdomains, found.domain, *found.sortlist]
    words += [part for option in options for part in option]
    if any(re.search(r"\s", word) for word in words):
        section.wrong(None, "a word of it has blanks", "write lists")
        return None
    return found


def _syslog(given: Section) -> Optional[GivenSyslog]:
    section = _syslog_section(given)
    if section is None:
        return None
    section.know(OF_SYSLOG)
    for key in ("install_rsyslog", "packages", "check_exe"):
        if section.values.get(key):
            section.wrong(key, "it has no effect", "add rsyslog to the key `packages`")
    folder = section.line("config_dir").strip() or "/etc/rsyslog.d"
    usual = section.line("config_filename").strip() or "20-cloud-config.conf"
    if not folder.startswith("/"):
        section.wrong("config_dir", "it is no absolute path", "such as /etc/rsyslog.d")
        folder = "/etc/rsyslog.d"
    if "/" in usual:
        section.wrong("config_filename", "it has a path as name", "write the file's name alone")
        usual = "20-cloud-config.conf"
    if is_closed(folder) or is_closed("%s/%s" % (folder, usual)):
        section.wrong("config_dir", WHAT, "such as /etc/rsyslog.d")
        folder, usual = "/etc/rsyslog.d", "20-cloud-config.conf"
    files: List[Tuple[str, str]] = []
    inner = Section({}, (*section.path, "configs"), section.mistakes)
    for at, each in section.items("configs"):
        entry = Section(each if isinstance(each, dict) else {"content": each}, (*inner.path, at))
        entry.mistakes = section.mistakes
        entry.know(("filename", "content"))
        name, text = entry.line("filename").strip() or usual, entry.text("content")
        if is_closed("%s/%s" % (folder, name)):
            entry.wrong("filename", WHAT, "such as 30-local.conf")
        elif not text or "/" in name:
            entry.wrong(None, "it has no content, or a path as name", "write `content: TEXT`")
        else:
            files.append((name, text))
    command = section.texts("service_reload_command")
    if command == ("auto",):
        command = ()
    remotes = _remotes(section)
    return GivenSyslog(tuple(files), remotes, folder, usual, command)


def _syslog_section(given: Section) -> Optional[Section]:
    """The section. The old form, a list with two keys beside it, is read and told."""
    value = given.values.get("rsyslog")
    if not isinstance(value, list):
        for key, remedy in OLD_SYSLOG.items():
            if key in given:
                given.wrong(key, "it has no effect beside a mapping", remedy)
        return given.section("rsyslog")
    given.wrong("rsyslog", "the list is deprecated", "write `configs` below `rsyslog`", True)
    values: Dict[str, Any] = {"configs": value}
    for key, remedy in OLD_SYSLOG.items():
        if key in given:
            given.wrong(key, "the key is deprecated", remedy, True)
            values[remedy.split("`")[3]] = given.values[key]
    return Section(values, ("rsyslog",), given.mistakes)


def _remotes(section: Section) -> Tuple[Tuple[str, str], ...]:
    """The remotes as rsyslog has them: ``*.* @@10.0.0.1:10514``."""
    named = section.section("remotes")
    found: List[Tuple[str, str]] = []
    if named is None:
        return ()
    for name in named.values:
        line = named.line(name)
        if not line.strip():
            continue
        match = _REMOTE.match(line)
        if match is None:
            named.wrong(name, "no remote has this form", "such as `*.* @@10.0.0.1:10514`")
            continue
        address = match["six"] or match["host"]
        if ":" in address:
            address = "[%s]" % address
        target = "%s%s" % (match["protocol"] or "@", address)
        if match["port"]:
            target += ":" + match["port"]
        found.append((name, "%s %s" % (match["selector"] or "*.*", target)))
    return tuple(found)
