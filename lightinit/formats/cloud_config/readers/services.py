"""Language, trust and services: ``locale``, ``keyboard``, ``ca_certs``, ``rsyslog`` and more."""

from __future__ import annotations

import re
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import FALSE, Section, written

KEYS = (
    "locale",
    "locale_configfile",
    "keyboard",
    "ca_certs",
    "ca-certs",
    "manage_resolv_conf",
    "resolv_conf",
    "rsyslog",
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
        files: (name below ``folder``, text).
        remotes: (name, where to), such as ``*.* @@10.0.0.1:10514``.
        folder: where the files lie.
        command: what makes it read them, or nothing for the init system's own.
    """

    files: Tuple[Tuple[str, str], ...] = ()
    remotes: Tuple[Tuple[str, str], ...] = ()
    folder: str = "/etc/rsyslog.d"
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
    path = given.line("locale_configfile").strip()
    if path and not path.startswith("/"):
        given.wrong("locale_configfile", "it is no absolute path", "such as /etc/default/locale")
        path = ""
    if path and not locale:
        what = "it has no effect without `locale`"
        given.wrong("locale_configfile", what, "write `locale`, too")
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
    section = given.section("rsyslog")
    if section is None:
        return None
    section.know(("config_dir", "config_filename", "configs", "remotes", "service_reload_command"))
    folder = section.line("config_dir") or "/etc/rsyslog.d"
    usual = section.line("config_filename") or "20-cloud-config.conf"
    files: List[Tuple[str, str]] = []
    inner = Section({}, (*section.path, "configs"), section.mistakes)
    for at, each in section.items("configs"):
        entry = Section(each if isinstance(each, dict) else {"content": each}, (*inner.path, at))
        entry.mistakes = section.mistakes
        entry.know(("filename", "content"))
        name, text = entry.line("filename") or usual, entry.text("content")
        if not text or "/" in name:
            entry.wrong(None, "it has no content, or a path as name", "write `content: TEXT`")
        else:
            files.append((name, text))
    remotes: List[Tuple[str, str]] = []
    named = section.section("remotes")
    if named is not None:
        remotes = [(key, named.line(key)) for key in named.values]
    command = section.texts("service_reload_command")
    if command == ("auto",):
        command = ()
    return GivenSyslog(tuple(files), tuple(each for each in remotes if each[1]), folder, command)
