"""Reads the settings files: INI text -> frozen values, each with its origin.

Does not know which keys exist: modules and datasources declare theirs
(:class:`lightinit.settings.Setting`), and the caller passes in how to find the declarations.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import LightinitError
from lightinit.quick import cksum
from lightinit.settings import (
    AUTO,
    CORE,
    MODULE_LISTS,
    Setting,
    Settings,
    convert,
    datasource_section,
    nearest,
    render,
)
from lightinit.settings.ini import IniValue, Problem, parse, short

FOLDER = "/etc/lightinit"
MAIN_FILE = FOLDER + "/lightinit.conf"
DROP_INS = FOLDER + "/conf.d/*.conf"
LIMIT_BYTES = 256 * 1024
MISSING, UNKNOWN = "-", "?"  # marks of files without a checksum; with the second, nothing is sure


def load(
    system: Any,
    datasource_schema: Callable[[str], Sequence[Setting]],
    module_schema: Callable[[str], Sequence[Setting]],
    shipped: Callable[[], Sequence[str]] = list,
    sources: Sequence[str] = (),
    whole: bool = False,
) -> Settings:
    """Read the settings of a machine. Never fails: mistakes are in ``problems``.

    Args:
        system: the machine (``read``, ``glob``, ``path``).
        datasource_schema: the keys of a datasource, by its name; raises LightinitError for an
            unknown name.
        module_schema: the keys of a module, by its name; raises LightinitError likewise.
        shipped: the names of the modules that lightinit ships; asked only after a mistake.
        sources: the names of the datasources that lightinit ships.
        whole: whether the settings have the sections of all these, and not only those of the one
            that is chosen and of those that the files name.
    """
    entries: List[IniValue] = []
    problems: List[Problem] = []
    files = [MAIN_FILE]
    try:
        system.path(DROP_INS.rpartition("/")[0])  # a loop of links, where glob would find nothing
        files += system.glob(DROP_INS)
    except (OSError, ValueError, LightinitError) as error:
        problems.append(Problem(FOLDER, 0, "cannot be read: %s; defaults are used" % error))
        files = []
    marks = [_read_file(system, file, entries, problems) + " " + file for file in files]
    return resolve(
        entries,
        problems,
        datasource_schema,
        module_schema,
        "\n".join(marks),
        shipped,
        sources,
        whole,
    )


def resolve(
    entries: List[IniValue],
    problems: List[Problem],
    datasource_schema: Callable[[str], Sequence[Setting]],
    module_schema: Callable[[str], Sequence[Setting]],
    mark: str = "",
    shipped: Callable[[], Sequence[str]] = list,
    sources: Sequence[str] = (),
    whole: bool = False,
) -> Settings:
    """Return the settings of ``entries``; mistakes are added to ``problems``.

    Args:
        entries: the files' entries, in the order in which the files were read.
        problems: the mistakes in the files' lines.
        datasource_schema: as in :func:`load`.
        module_schema: as in :func:`load`.
        mark: the fingerprint of the files, see :class:`lightinit.settings.Settings`.
        shipped, sources, whole: as in :func:`load`.
    """
    values: Dict[str, Dict[str, Any]] = {}
    origins: Dict[str, Dict[str, str]] = {}
    schema: Dict[str, Tuple[Setting, ...]] = {}
    for section, settings in CORE.items():
        schema[section] = settings
        values[section], origins[section] = _apply(section, settings, entries, problems)
    chosen = values["lightinit"]
    try:
        chosen["datasource"] = _find_source(chosen["datasource"], datasource_schema, sources)
    except LightinitError as error:
        origin = origins["lightinit"]["datasource"]
        problems.append(problem_at(origin, "%s; using %s" % (error, AUTO)))
        chosen["datasource"] = AUTO
    used = _list_sources(chosen["datasource"], sources, entries, whole)
    named = [(datasource_section(name), name, datasource_schema) for name in used]
    listed_in = {name: key for key in MODULE_LISTS for name in chosen[key]}
    named += [("module." + name, name, module_schema) for name in listed_in]
    for section, name, declared in named:
        try:
            schema[section] = tuple(declared(name))
        except LightinitError as error:
            key = listed_in.get(name, "modules")
            problems.append(problem_at(origins["lightinit"][key], str(error)))
            schema[section] = ()
        values[section], origins[section] = _apply(section, schema[section], entries, problems)
    _refuse_unknown(entries, schema, problems, module_schema, shipped, sources)
    return Settings(
        values,
        origins,
        tuple(sorted(problems, key=lambda problem: (problem.file, problem.line))),
        mark,
    )


def _find_source(
    name: str, datasource_schema: Callable[[str], Sequence[Setting]], sources: Sequence[str]
) -> str:
    """The datasource called ``name``, in any case if lightinit ships it: cloud-init writes some in
    upper case.

    Raises:
        LightinitError: there is none.
    """
    if name.lower() in (AUTO, *sources):
        return name.lower()
    datasource_schema(name)
    return name


def _list_sources(
    chosen: str, sources: Sequence[str], entries: List[IniValue], whole: bool
) -> List[str]:
    """The datasources whose sections the settings have."""
    in_files = {entry.section for entry in entries}
    used = [name for name in sources if whole or datasource_section(name) in in_files]
    return used if chosen in (AUTO, *used) else [*used, chosen]


def problem_at(origin: str, text: str) -> Problem:
    """A mistake in a value.

    Args:
        origin: where the value came from, as in :class:`lightinit.settings.Settings`.
        text: what is wrong, and what to do.
    """
    file, _, line = origin.rpartition(":")
    if not file:
        return Problem("built-in default", 0, text)
    return Problem(file, int(line), text)


def _read_file(system: Any, file: str, entries: List[IniValue], problems: List[Problem]) -> str:
    """Add what is in ``file``. Returns its mark for the fingerprint."""
    try:
        data = system.read(file, LIMIT_BYTES)
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        problems.append(Problem(file, 0, "cannot be read: %s; defaults are used" % error.strerror))
        return UNKNOWN
    except LightinitError as error:
        problems.append(Problem(file, 0, "%s; the file is ignored" % error))
        return UNKNOWN
    mark: str = cksum(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.append(
            Problem(file, 0, "is not UTF-8 text (byte %d); the file is ignored" % error.start)
        )
        return mark
    found, wrong = parse(text.lstrip("\ufeff"), file)
    entries.extend(found)
    problems.extend(wrong)
    return mark


def _apply(
    section: str, schema: Sequence[Setting], entries: List[IniValue], problems: List[Problem]
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
            if by_key[entry.key].replaced_by:
                text = "it still counts, and is replaced by " + by_key[entry.key].replaced_by
                problems.append(_bad_value(entry, text))
        except ValueError as error:
            if by_key[entry.key].if_wrong is not None:
                values[entry.key] = by_key[entry.key].if_wrong
                origins[entry.key] = "%s:%d" % (entry.file, entry.line)
            used = render(values[entry.key]) or "nothing"
            problems.append(_bad_value(entry, "%s; using %s" % (error, used)))
    return values, origins


def _bad_value(entry: IniValue, text: str) -> Problem:
    value = short(entry.value.replace("\n", " "))
    text = "[%s] %s = %s: %s" % (entry.section, entry.key, value, text)
    return Problem(entry.file, entry.line, text)


def _refuse_unknown(
    entries: List[IniValue],
    schema: Mapping[str, Sequence[Setting]],
    problems: List[Problem],
    module_schema: Callable[[str], Sequence[Setting]],
    shipped: Callable[[], Sequence[str]],
    sources: Sequence[str],
) -> None:
    told = set()
    for entry in entries:
        known = schema.get(entry.section)
        is_used = known is not None
        if known is None:  # settings of a module that is installed but not listed are valid
            known = _declared(entry.section, module_schema)
        if known is None:
            if (entry.file, entry.section) not in told:
                told.add((entry.file, entry.section))
                text = "there is no section [%s]%s" % (
                    short(entry.section),
                    _hint_section(entry.section, [*schema, *sources], shipped),
                )
                problems.append(Problem(entry.file, entry.line, text))
            continue
        by_key = {setting.key: setting for setting in known}
        if entry.key not in by_key:
            sections = dict(schema)
            for name in shipped():
                section = "module." + name
                sections.setdefault(section, _declared(section, module_schema) or ())
            text = "[%s] has no key %s%s" % (
                entry.section,
                short(entry.key),
                _hint_key(entry.key, by_key, sections),
            )
            problems.append(Problem(entry.file, entry.line, text))
        elif not is_used:
            try:
                convert(by_key[entry.key], entry.value)
            except ValueError as error:
                problems.append(_bad_value(entry, str(error)))


def _declared(
    section: str, module_schema: Callable[[str], Sequence[Setting]]
) -> Optional[Sequence[Setting]]:
    """The keys of a module's section; None if there is no such module."""
    kind, dot, name = section.partition(".")
    if not dot or kind != "module":
        return None
    try:
        return module_schema(name)
    except LightinitError:
        return None


def _hint_section(name: str, schema: Iterable[str], shipped: Callable[[], Sequence[str]]) -> str:
    known = list(schema)
    known += ["module." + each for each in shipped() if "module." + each not in known]
    if "module." + name in known:
        return _hint("module." + name, "[%s]")
    return _hint(nearest(name, known), "[%s]")


def _hint_key(key: str, known: Iterable[str], sections: Mapping[str, Sequence[Setting]]) -> str:
    """What may have been meant: the key of that name in another section, or one that is similar."""
    others = [
        section
        for section, declared in sections.items()
        if key in [setting.key for setting in declared]
    ]
    if len(others) == 1:
        return "; it is a key of [%s]" % others[0]
    return _hint(nearest(key, known), "%s")


def _hint(found: str, form: str) -> str:
    if not found:
        return "; `lightinit config` lists all of them"
    return "; did you mean %s?" % (form % found)
