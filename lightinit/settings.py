"""Settings: INI text -> frozen values, each with the place that it came from.

What keys there are is not known here: modules and datasources declare theirs (:class:`Setting`),
and the caller passes in how to find these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from lightinit.errors import LightinitError
from lightinit.ini import Entry, Problem, parse, short

FOLDER = "/etc/lightinit"
MAIN_FILE = FOLDER + "/lightinit.conf"
DROP_INS = FOLDER + "/conf.d/*.conf"
LIMIT_BYTES = 256 * 1024

ModuleSettings = Dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One key of the settings.

    Attributes:
        key: its name; a number's unit is its ending (``timeout_s``).
        kind: text, words, lines, boolean, integer, seconds, endpoint or path.
        default: its value when nothing sets it, already of the kind's Python type
            (str, tuple of str, str with newlines, bool, int, float, str, str).
        help: what it does, one sentence; becomes the comment in etc/lightinit.conf.
        choices: for text: the values it may have; empty means any.
    """

    key: str
    kind: str
    default: Any
    help: str
    choices: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """The effective settings.

    Attributes:
        values: by section, then by key.
        origins: where each value came from: ``file:line`` or ``default``; the same shape.
        problems: what was wrong; the default was used there.
        fingerprint: lines that differ whenever a settings file appears, goes or changes; see
            :func:`fingerprint`.
    """

    values: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, Mapping[str, str]]
    problems: Tuple[Problem, ...] = ()
    fingerprint: str = ""

    def __getitem__(self, section: str) -> Mapping[str, Any]:
        return self.values[section]


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
            "azure",
            "Where the VM's data come from: a name that lightinit ships, or the "
            "dotted name of a Python class of your own.",
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
                "hostname",
                "ssh_host_keys",
                "users",
                "ssh_authorized_keys",
                "ssh_password_login",
                "certificates",
                "timezone",
                "write_files",
                "root_disk",
                "custom_data",
            ),
            "The modules of the config stage, in order. A name with a dot is that of a"
            " Python module.",
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
            "Seconds to wait for a DHCP lease before the boot fails.",
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


def load(
    system: Any,
    datasource_schema: Callable[[str], Sequence[Setting]],
    module_schema: Callable[[str], Sequence[Setting]],
) -> Settings:
    """Read the settings of a machine. Never fails: what is wrong is in ``problems``.

    Args:
        system: the machine (``read``, ``glob``, ``path``).
        datasource_schema: the keys of a datasource, by its name; raises LightinitError for an
            unknown name.
        module_schema: the keys of a module, by its name; likewise.
    """
    entries: List[Entry] = []
    problems: List[Problem] = []
    files = [MAIN_FILE]
    try:
        files += system.glob(DROP_INS)
        marks = fingerprint(system, [FOLDER, FOLDER + "/conf.d"] + files)
    except (OSError, ValueError, LightinitError) as error:
        problems.append(Problem(FOLDER, 0, "cannot be looked into: %s; defaults are used" % error))
        files, marks = [], ""
    for file in files:
        _read_file(system, file, entries, problems)
    return resolve(entries, problems, datasource_schema, module_schema, marks)


def resolve(
    entries: List[Entry],
    problems: List[Problem],
    datasource_schema: Callable[[str], Sequence[Setting]],
    module_schema: Callable[[str], Sequence[Setting]],
    mark: str = "",
) -> Settings:
    """The settings that these ``entries`` mean; what is wrong with them is added to ``problems``.

    Args:
        entries: what the files say, in the order in which they were read.
        problems: what was wrong with the files themselves.
        datasource_schema: as in :func:`load`.
        module_schema: as in :func:`load`.
        mark: the fingerprint of the files.
    """
    values: Dict[str, Dict[str, Any]] = {}
    origins: Dict[str, Dict[str, str]] = {}
    schema: Dict[str, Tuple[Setting, ...]] = {}
    for section, settings in CORE.items():
        schema[section] = settings
        values[section], origins[section] = _apply(section, settings, entries, problems)
    chosen = values["lightinit"]
    try:
        datasource_schema(chosen["datasource"])
    except LightinitError as error:
        default = CORE["lightinit"][1].default
        problems.append(_at(origins["lightinit"]["datasource"], "%s; using %s" % (error, default)))
        chosen["datasource"] = default
    source = chosen["datasource"]
    named = [(datasource_section(source), source, datasource_schema)]
    named += [("module." + name, name, module_schema) for name in chosen["modules"]]
    for section, name, declared in named:
        try:
            schema[section] = tuple(declared(name))
        except LightinitError as error:
            problems.append(_at(origins["lightinit"]["modules"], str(error)))
            schema[section] = ()
        values[section], origins[section] = _apply(section, schema[section], entries, problems)
    _refuse_unknown(entries, schema, problems, module_schema)
    return Settings(
        values,
        origins,
        tuple(sorted(problems, key=lambda problem: (problem.file, problem.line))),
        mark,
    )


def datasource_section(name: str) -> str:
    """The section that a datasource's own keys are in: the name of its module, in lower case.

    Args:
        name: as in ``datasource =``: the name of one that lightinit ships, or, with a dot in it,
            ``package.module:Class`` or ``package.module.Class``.
    """
    module, colon, _ = name.partition(":")
    if not colon and "." in name:
        module = name.rpartition(".")[0]
    return module.rpartition(".")[2].lower()


def _at(origin: str, text: str) -> Problem:
    file, _, line = origin.rpartition(":")
    return Problem(file, int(line), text) if file else Problem("built-in default", 0, text)


def fingerprint(system: Any, names: Iterable[str]) -> str:
    """A line ``MARK NAME`` for each file: it differs whenever one of them appears, goes or changes.
    One stat a file.

    The mark is ``%i.%Y.%s`` of stat(1): inode, seconds of the last change, bytes. So a shell can
    compare it, with busybox too, which knows no fractions of a second. It is ``-`` for a file that
    is not there.
    """
    import os

    lines = []
    for name in names:
        try:
            found = os.stat(system.path(name))
            lines.append(
                "%d.%d.%d %s" % (found.st_ino, found.st_mtime_ns // 10**9, found.st_size, name)
            )
        except OSError:
            lines.append("- " + name)
    return "\n".join(lines)


def convert(setting: Setting, text: str) -> Any:
    """The value that ``text`` means for ``setting``.

    Raises:
        ValueError: it means none; the message says what was expected.
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
        if not (text.isascii() if hasattr(text, "isascii") else True) or not text.isdigit():
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
    """A value as it would stand in a file: the reverse of :func:`convert`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, float):
        return "%g" % value
    text = str(value)
    return "".join("\n    " + line for line in text.split("\n")) if "\n" in text else text


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The one of ``known`` that ``name`` was probably meant to be, or ""; with a ``cutoff`` of 0
    always one of them.
    """
    import difflib

    found = difflib.get_close_matches(name, list(known), 1, cutoff)
    return found[0] if found else ""


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("expected a number of seconds") from None
    if not 0 <= value <= 86400:
        raise ValueError("expected seconds from 0 to 86400")
    return value


def check_endpoint(text: str) -> str:
    """``text``, if it is ``auto``, or a host with or without a port, and nothing that could bend a
    URL.

    Raises:
        ValueError: it is not; the message says what was expected.
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


def _read_file(system: Any, file: str, entries: List[Entry], problems: List[Problem]) -> None:
    try:
        text = system.read(file, LIMIT_BYTES).decode("utf-8")
    except FileNotFoundError:
        return
    except OSError as error:
        problems.append(Problem(file, 0, "cannot be read: %s; defaults are used" % error.strerror))
        return
    except UnicodeDecodeError as error:
        problems.append(
            Problem(file, 0, "is not UTF-8 text (byte %d); the file is passed over" % error.start)
        )
        return
    except LightinitError as error:
        problems.append(Problem(file, 0, "%s; the file is passed over" % error))
        return
    found, wrong = parse(text.lstrip("\ufeff"), file)
    entries.extend(found)
    problems.extend(wrong)


def _apply(
    section: str, schema: Sequence[Setting], entries: List[Entry], problems: List[Problem]
) -> Tuple[Dict[str, Any], Dict[str, str]]:
    values = {setting.key: setting.default for setting in schema}
    origins = {setting.key: "default" for setting in schema}
    by_key = {setting.key: setting for setting in schema}
    for entry in entries:
        if entry.section != section or entry.key not in by_key:
            continue
        try:
            values[entry.key] = convert(by_key[entry.key], entry.value)
            origins[entry.key] = "%s:%d" % (entry.file, entry.line)
        except ValueError as error:
            problems.append(
                Problem(
                    entry.file,
                    entry.line,
                    "[%s] %s = %s: %s; using %s"
                    % (
                        section,
                        entry.key,
                        short(entry.value.replace("\n", " ")),
                        error,
                        render(values[entry.key]) or "nothing",
                    ),
                )
            )
    return values, origins


def _refuse_unknown(
    entries: List[Entry],
    schema: Mapping[str, Sequence[Setting]],
    problems: List[Problem],
    module_schema: Callable[[str], Sequence[Setting]],
) -> None:
    told = set()
    for entry in entries:
        known = schema.get(entry.section)
        if known is None and entry.section.startswith("module."):
            try:  # the settings of a module that is installed but not listed are no mistake
                known = module_schema(entry.section[len("module.") :])
            except LightinitError:
                known = None
        if known is None:
            if (entry.file, entry.section) not in told:
                told.add((entry.file, entry.section))
                problems.append(
                    Problem(
                        entry.file,
                        entry.line,
                        "there is no section [%s]%s"
                        % (short(entry.section), _hint(entry.section, schema, "[%s]")),
                    )
                )
        elif entry.key not in [setting.key for setting in known]:
            problems.append(
                Problem(
                    entry.file,
                    entry.line,
                    "[%s] has no key %s%s"
                    % (
                        entry.section,
                        short(entry.key),
                        _hint(entry.key, [setting.key for setting in known], "%s"),
                    ),
                )
            )


def _hint(name: str, known: Iterable[str], form: str) -> str:
    found = nearest(name, known)
    return (
        "; did you mean %s?" % (form % found)
        if found
        else "; `lightinit config` lists all that there are"
    )
