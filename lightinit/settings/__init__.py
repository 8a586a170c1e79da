"""What a setting is, which kinds of values there are, and lightinit's own settings (``CORE``).

Modules and datasources declare their keys with :class:`Setting`. ``files.py`` reads the
files.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Tuple

from lightinit.model import NamedTuple
from lightinit.settings.ini import Problem

ModuleSettings = Dict[str, Any]
# The keys of [lightinit] that list modules.
MODULE_LISTS = ("modules", "final_modules")


class Setting(NamedTuple):
    """One key of the settings.

    Attributes:
        key: its name; a number's name ends with its unit (``timeout_s``).
        kind: text, words, lines, boolean, integer, seconds, endpoint or path.
        default: its value if no file sets it, in the kind's Python type
            (str, tuple of str, str with newlines, bool, int, float, str, str).
        help: its meaning in one sentence; becomes the comment in etc/lightinit.conf.
        choices: for text, the allowed values; empty means any.
        replaced_by: for a key of earlier versions: what to write instead. It still counts, and a
            file that has it gets a warning.
        if_wrong: the value if a file sets one that cannot be read, where the default would do more
            than somebody who sets the key may want. None: the value before counts.
    """

    key: str
    kind: str
    default: Any
    help: str
    choices: Tuple[str, ...] = ()
    replaced_by: str = ""
    if_wrong: Any = None


class Settings:
    """The effective settings.

    Args:
        values: by section, then by key.
        origins: by section, then by key: where the value came from, ``file:line`` or ``default``.
        problems: the mistakes; defaults are used instead.
        fingerprint: a line ``MARK NAME`` for each file. The mark is the checksum and the size, as
            ``cksum`` prints them; ``-`` if the file is missing, ``?`` if it cannot be read.
    """

    def __init__(
        self,
        values: Mapping[str, Mapping[str, Any]],
        origins: Mapping[str, Mapping[str, str]],
        problems: Tuple[Problem, ...] = (),
        fingerprint: str = "",
    ) -> None:
        self.values = values
        self.origins = origins
        self.problems = problems
        self.fingerprint = fingerprint

    def __getitem__(self, section: str) -> Mapping[str, Any]:
        return self.values[section]

    @property
    def all_modules(self) -> List[str]:
        """The modules that are listed, in the order in which they run."""
        return [name for key in MODULE_LISTS for name in self["lightinit"][key]]


AUTO = "auto"  # the value of `datasource`

CORE: Dict[str, Tuple[Setting, ...]] = {
    "lightinit": (
        Setting(
            "enabled",
            "boolean",
            True,
            "Whether `lightinit boot` does anything at all; the file "
            "/etc/lightinit/disabled also switches it off.",
        ),
        Setting(
            "datasource",
            "text",
            AUTO,
            "Where the VM's data come from. auto: what this machine shows decides, see `lightinit"
            " datasources`. Else a name that lightinit ships, or the dotted name of a Python class"
            " of your own.",
        ),
        Setting(
            "platform_check",
            "text",
            "dmi",
            "dmi: act only where DMI (or, without DMI, the network) says that this is the"
            " datasource's platform. none: take it for granted.",
            ("dmi", "none"),
        ),
        Setting(
            "modules",
            "words",
            (
                "entropy",
                "bootcmd",
                "disk_setup",
                "mounts",
                "hostname",
                "ssh_host_keys",
                "users",
                "ssh_authorized_keys",
                "ssh_password_login",
                "certificates",
                "timezone",
                "locale",
                "keyboard",
                "ca_certs",
                "resolv_conf",
                "write_files",
                "root_disk",
                "swap",
                "custom_data",
            ),
            "The modules of the config stage, in order. A name with a dot is that of a"
            " Python module.",
        ),
        Setting(
            "final_modules",
            "words",
            (
                "packages",
                "ntp",
                "rsyslog",
                "write_files_deferred",
                "scripts",
                "phone_home",
                "final_message",
                "power_state",
            ),
            "More modules, which run after the platform has accepted Ready, in order. The"
            " platform's patience does not limit them.",
        ),
        Setting(
            "before_ready",
            "boolean",
            False,
            "Whether final_modules run at the end of the config stage instead, so that Ready waits"
            " for them.",
        ),
        Setting(
            "user_data",
            "text",
            "run",
            "What becomes of custom data and user data. run: scripts and #cloud-config take effect."
            " keep: they are only stored in files. none: not even that.",
            ("run", "keep", "none"),
            if_wrong="keep",
        ),
        Setting(
            "default_user",
            "text",
            "",
            "The admin where the platform names none: it gets the platform's keys, and what"
            " [module.users] says. Empty: then no account is made.",
        ),
        Setting(
            "login_check",
            "text",
            "yes",
            "Before the report, ask sshd and PAM whether the admin can log in. yes: if nobody can,"
            " NotReady is reported. warn: if nobody can, that is a warning. no: do not ask. Whether"
            " the admin can become root is asked in any case; the answer is at most a warning.",
            ("yes", "warn", "no"),
        ),
        Setting(
            "log_level",
            "text",
            "info",
            "The least severe messages on the console and in the log file.",
            ("debug", "info", "warning", "error"),
        ),
        Setting(
            "log_file",
            "path",
            "/var/log/lightinit.log",
            "The log file; empty: log to the console only.",
        ),
        Setting(
            "watchdog_s",
            "seconds",
            1080.0,
            "Seconds after which a boot that does not end is reported as not ready, and ended. The"
            " platform waits for 20 minutes or more. 0: no limit. A boot that crashes is reported"
            " in any case.",
        ),
        Setting(
            "hook_timeout_s",
            "seconds",
            300.0,
            "Seconds that a program in /etc/lightinit/hooks.d may take before it is killed.",
        ),
    ),
    "network": (
        Setting(
            "interface",
            "text",
            "",
            "The interface whose lease is used; empty: the one with routes to the platform.",
        ),
        Setting(
            "lease_timeout_s",
            "seconds",
            300.0,
            "Seconds to wait for a DHCP lease before the boot fails; with a datasource that needs"
            " no network, for an address and a default route before what needs them.",
        ),
        Setting(
            "grace_s",
            "seconds",
            2.0,
            "Seconds to wait for a lease file when there is an address with a route; "
            "then the well-known addresses are used.",
        ),
    ),
}


def datasource_section(name: str) -> str:
    """Return the section of a datasource's own keys: the name of its module in lower case.

    Args:
        name: as in ``datasource =``: the name of one that lightinit ships, or, with a dot in it,
            ``package.module:Class`` or ``package.module.Class``.
    """
    module, colon, _ = name.partition(":")
    if not colon and "." in name:
        module = name.rpartition(".")[0]
    return module.rpartition(".")[2].lower()


def convert(setting: Setting, text: str) -> Any:
    """Return the value of ``text`` for ``setting``.

    Raises:
        ValueError: ``text`` is not valid; the message says what was expected.
    """
    if setting.kind == "lines":
        return "\n".join(line.strip() for line in text.split("\n") if line.strip())
    text = text.replace("\n", " ")
    if setting.kind == "boolean":
        if text.lower() in ("yes", "true", "on", "1"):
            return True
        if text.lower() in ("no", "false", "off", "0"):
            return False
        raise ValueError("expected yes or no")
    if setting.kind == "integer":
        if not text.isascii() or not text.isdigit():
            raise ValueError("expected a whole number")
        return int(text)
    if setting.kind == "seconds":
        return _seconds(text)
    if setting.kind == "words":
        return tuple(text.replace(",", " ").split())
    if setting.kind == "endpoint":
        return check_endpoint(text)
    if setting.kind == "path" and text and not text.startswith("/"):
        raise ValueError("expected an absolute path")
    if setting.choices and text not in setting.choices:
        raise ValueError("expected one of: %s" % ", ".join(setting.choices))
    return text


def render(value: Any) -> str:
    """Return a value as text for a settings file: the reverse of :func:`convert`."""
    if isinstance(value, bool):
        return {True: "yes", False: "no"}[value]
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, float):
        return "%g" % value
    text = str(value)
    if "\n" not in text:
        return text
    return "".join("\n    " + line for line in text.split("\n"))


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return the most similar one of ``known``, or "" if none is similar enough.

    Args:
        name: the misspelt name.
        known: the valid names.
        cutoff: the least similarity, from 0 (always a name) to 1 (only equal names).
    """
    import difflib

    found = difflib.get_close_matches(name, list(known), 1, cutoff)
    return "".join(found)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("expected a number of seconds") from None
    if not 0 <= value <= 86400:
        raise ValueError("expected seconds from 0 to 86400")
    return value


def check_endpoint(text: str) -> str:
    """Return ``text`` if it is ``auto``, or a host with or without a port.

    Other characters are refused, because the text becomes part of a URL.

    Raises:
        ValueError: ``text`` is not valid; the message says what was expected.
    """
    host, colon, port = text.partition(":")
    plain = host.replace(".", "").replace("-", "")
    if not plain or not all("0" <= char <= "9" or "a" <= char.lower() <= "z" for char in plain):
        raise ValueError("expected auto, an address, or address:port")
    if colon and not (
        all("0" <= char <= "9" for char in port) and 0 < len(port) <= 5 and 0 < int(port) < 65536
    ):
        raise ValueError("expected a port from 1 to 65535 after the colon")
    return text
