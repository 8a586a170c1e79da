"""Sets the locale that a cloud-config asks for, in the files from which logins take it, and makes
it where the C library has it only as a source.

It needs neither localectl nor a running service. Programs that already run keep their locale.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.assignments import edit_assignment, read_assignment
from lightinit.formats.services import locales
from lightinit.host.accounts.tools import has_tool
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.init import systemd
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings, nearest

LOG = logging.getLogger("lightinit.locale")
LIMIT_S = 300.0  # localedef takes some seconds for one locale; an image may have switched on many
DEBIAN_FILE, SYSTEMD_FILE = "/etc/default/locale", "/etc/locale.conf"
GENTOO_FILE = "/etc/env.d/02locale"
# Files of assignments that name the locale. Each is changed if it exists.
ASSIGNMENTS = (
    DEBIAN_FILE,
    SYSTEMD_FILE,
    GENTOO_FILE,
    "/etc/sysconfig/i18n",
    "/etc/sysconfig/language",
)
KEYS = {"/etc/sysconfig/language": "RC_LANG"}  # elsewhere it is LANG
# Alpine's, and Slackware's. They are changed where they set LANG to a fixed text.
SCRIPTS = ("/etc/profile.d/*locale*.sh", "/etc/profile.d/lang.sh")
NEW_SCRIPT = "/etc/profile.d/locale.sh"
# The files that PAM reads at a login say whether it takes the locale from Debian's file.
PAM_FILES = ("/etc/pam.d/sshd", "/etc/pam.d/login", "/etc/pam.d/su", "/etc/pam.d/cron")
SUPPORTED = ("/usr/share/i18n/SUPPORTED", "/usr/local/share/i18n/SUPPORTED")
MUSL = "/lib/ld-musl-*.so.1"
DPKG = "/var/lib/dpkg/status"


class Maker(NamedTuple):
    """What makes locales from a list.

    Attributes:
        listed: the list, with the lines that are switched off.
        command: what makes those that are switched on.
    """

    listed: str
    command: Tuple[str, ...]


MAKERS = (
    Maker("/etc/locale.gen", ("locale-gen",)),
    Maker("/etc/default/libc-locales", ("xbps-reconfigure", "-f", "glibc-locales")),  # Void
)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Set the locale.

    Args:
        instance: not used.
        system: the machine.
        settings: ``locale``, and ``file`` if it is to be written there alone.

    Returns:
        The locale, and where it was written; a warning if it is not there yet, or if a file sets
        something that counts more.

    Raises:
        ProvisioningError: there is no such locale, it could not be made, or a file could not be
            read or written.
    """
    locale = settings.get("locale", "")
    if not locale:
        return Outcome("locale left as it is", skipped=True)
    warnings: List[str] = []
    locale = _make(system, locale, warnings)
    paths = [settings.get("file", "")]
    if paths[0]:
        _set(system, paths[0], locale)
    else:
        paths = _write(system, locale, warnings)
    for path in paths:
        above = read_assignment(system.read_text(path), "LC_ALL")
        if above and above != locale:
            warnings.append("%s has LC_ALL, too, which counts more than LANG: remove it" % path)
    return Outcome("locale is %s (%s)" % (locale, ", ".join(paths)), tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.services import read_services

    given = read_services(values)[0]
    return {"locale": given.locale, "file": given.locale_file}


# -- making it
# --------------------------------------------------------------------------------------------------


def _make(system: System, locale: str, warnings: List[str]) -> str:
    """Make the locale, if it is not there. Returns its name, as the host writes it."""
    if system.glob(MUSL) and not has_tool(system, "locale-gen"):
        return locale  # musl takes any name; its messages need musl-locales
    if _is_there(system, locale):
        return locale
    listed = _list_known(system)
    wanted = locales.find_listed(locale, listed)
    if wanted is None and listed:
        near = nearest(locale, [each.name for each in listed])
        hint = "use a name that is in %s" % SUPPORTED[0]
        if near:
            hint = "did you mean %s?" % near
        raise ProvisioningError("locale is unknown", locale=locale, hint=hint)
    if wanted is None:
        warnings.append(_not_there(system, locale))
        return locale
    for maker in MAKERS:
        if system.exists(maker.listed):
            _generate(system, maker, wanted)
            return wanted.name
    warnings.append(_not_there(system, locale))
    return locale


def _is_there(system: System, locale: str) -> bool:
    """Whether the C library has it: as a folder, in its archive, or built in."""
    folders = [path.rpartition("/")[2] for path in system.glob("/usr/lib/locale/*")]
    if locales.has_locale(locale, folders):
        return True
    program = system.tool("locale")
    if program is None:
        return False
    return locales.has_locale(locale, system.run([program, "-a"]).stdout.split("\n"))


def _list_known(system: System) -> List[locales.ListedLocale]:
    """The locales that the host knows, also those that are not made."""
    found: List[locales.ListedLocale] = []
    for path in (*SUPPORTED, *(maker.listed for maker in MAKERS)):
        found += locales.read_list(system.read_text(path))
    return found


def _generate(system: System, maker: Maker, wanted: locales.ListedLocale) -> None:
    before = read_text_file(system, maker.listed) or ""
    after = locales.switch_on(before, wanted)
    if after != before:
        write_text_file(system, maker.listed, after)
    program = system.tool(maker.command[0])
    if program is None:
        if system.live:
            raise ProvisioningError(
                "locale cannot be made",
                locale=wanted.name,
                said="there is no %s" % maker.command[0],
                hint="install the package that has it, in the image",
            )
        system.skip(maker.command[0])
        return
    argv = [program, *maker.command[1:]]
    if "--keep-existing" in system.read_text(program):
        # Otherwise Debian's removes all locales first, and makes each of them anew.
        argv.append("--keep-existing")
    ended = system.run(argv, timeout_s=LIMIT_S)
    # It ends with 0 also if localedef failed.
    if not _is_there(system, wanted.name):
        raise ProvisioningError(
            "locale cannot be made",
            locale=wanted.name,
            said=ended.last_words,
            hint="run %s, and read what it says" % maker.command[0],
        )


def _not_there(system: System, locale: str) -> str:
    """The warning for a locale whose package is not installed. Debian's package makes what is in
    these files when it is installed, perhaps by this cloud-config.
    """
    text = "the locale %s is not installed, so programs use C until it is: add its package"
    text += " (locales, glibc-langpack-de, glibc-i18n) to `packages`"
    if system.exists(DPKG) and not system.exists(MAKERS[0].listed):
        charset = locale.partition("@")[0].partition(".")[2] or "UTF-8"
        line = locales.ListedLocale(locale, charset.upper().replace("UTF8", "UTF-8"), True)
        write_text_file(system, MAKERS[0].listed, locales.switch_on("", line))
    return text % locale


# -- writing it
# --------------------------------------------------------------------------------------------------


def _write(system: System, locale: str, warnings: List[str]) -> List[str]:
    """Write it into each file from which this host takes it. One that cannot be written does not
    keep it out of the others.
    """
    written: List[str] = []
    failed: List[ProvisioningError] = []
    for path in _files(system) or [_usual_file(system)]:
        try:
            _set(system, path, locale)
            written.append(path)
        except ProvisioningError as error:
            failed.append(error)
    if not written:
        raise failed[0]
    warnings += [str(error) for error in failed]
    if GENTOO_FILE in written:
        program = system.tool("env-update")
        if program is not None:
            system.run_checked([program])
    return written


def _files(system: System) -> List[str]:
    """The files that name the locale on this host."""
    found = [path for path in ASSIGNMENTS if system.exists(path)]
    for pattern in SCRIPTS:
        for path in system.glob(pattern):
            if locales.sets_language(system.read_text(path)):
                found.append(path)
    return found


def _usual_file(system: System) -> str:
    """The file that is made if there is none."""
    if any(DEBIAN_FILE in system.read_text(path) for path in PAM_FILES):
        return DEBIAN_FILE
    if not systemd.is_installed(system):
        if system.is_dir("/etc/env.d"):
            return GENTOO_FILE
        if system.is_dir("/etc/profile.d"):
            return NEW_SCRIPT
    return SYSTEMD_FILE


def _set(system: System, path: str, locale: str) -> None:
    before = read_text_file(system, path) or ""
    if not path.endswith(".sh"):
        key = KEYS.get(path, "LANG")
        after = edit_assignment(before, key, locale, add=False)
        if read_assignment(before, key) is None:
            after = _with_line(before, "%s=%s\n" % (key, locale))
    elif locales.sets_language(before):
        after = locales.edit_script(before, locale)
    else:
        after = _with_line(before, "export LANG=%s\n" % locale)
    if after != before:
        write_text_file(system, path, after)
        restore_labels(system, [path])


def _with_line(text: str, line: str) -> str:
    if text and not text.endswith("\n"):
        text += "\n"
    return text + line
