"""Merges several cloud-configs into one, as cloud-init documents it ("Merging user data sections").

How is said by the later document: its key ``merge_how`` (or ``merge_type``), then its part's header
``Merge-Type`` or ``X-Merge-Type``. Without either, a key of a later document replaces the same key
of an earlier one as a whole. ``merge_how`` is a text such as ``list(append)+dict(recurse_list)``,
or a list of mappings with ``name`` and ``settings``.
"""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.model import NamedTuple

DEFAULT = "dict(replace)+list()+str()"
KEYS = ("merge_how", "merge_type")
RECURSION = ("recurse_array", "recurse_list", "recurse_str")
# Which options each kind of value knows; of the methods, the first one that is given counts.
DICT_METHODS = ("replace", "no_replace")
LIST_METHODS = ("append", "prepend", "replace", "no_replace")
OPTIONS: Dict[str, Tuple[str, ...]] = {
    "dict": (*DICT_METHODS, *RECURSION, "recurse_dict", "allow_delete"),
    "list": (*LIST_METHODS, *RECURSION, "recurse_dict"),
    "str": ("append",),
}
_RULE = re.compile(r"([a-z_][a-z0-9_]*)\(([^()]*)\)\Z")
REMEDY = "write it as list(append)+dict(recurse_list)+str()"

Options = Optional[FrozenSet[str]]


class MergeRules(NamedTuple):
    """The options for each kind of value. None: the earlier value stays."""

    for_dict: Options = None
    for_list: Options = None
    for_str: Options = None


class ConfigPart(NamedTuple):
    """One document to merge.

    Attributes:
        values: its keys.
        header: its part's ``Merge-Type``, or "".
    """

    values: Mapping[str, Any]
    header: str = ""


class MergedConfig(NamedTuple):
    """What came of it.

    Attributes:
        values: the keys of all documents, without ``merge_how`` and ``merge_type``.
        mistakes: what is wrong in how they want to be merged.
    """

    values: Dict[str, Any]
    mistakes: Tuple[Mistake, ...]


def merge_all(parts: Iterable[ConfigPart]) -> MergedConfig:
    """Merge documents in their order. None of them is changed.

    Args:
        parts: the documents, the earliest first.
    """
    merged: Dict[str, Any] = {}
    mistakes: List[Mistake] = []
    for part in parts:
        rules, found = read_rules(part.values, part.header)
        mistakes += found
        later = {key: value for key, value in part.values.items() if key not in KEYS}
        merged = _merge(merged, later, rules)
    return MergedConfig(merged, tuple(mistakes))


def lay_under(values: Mapping[str, Any], under: Mapping[str, Any]) -> Dict[str, Any]:
    """Add what only the vendor's cloud-config has: a key of the owner's wins, and mappings under
    one key are joined in the same way. cloud-init does so with vendor data, whatever they say of
    merging. Neither is changed.

    Args:
        values: the owner's keys.
        under: the vendor's keys.
    """
    rules, _ = read_rules({}, "dict(no_replace,recurse_dict)+list(no_replace)+str()")
    later = {key: value for key, value in under.items() if key != "vendor_data"}
    return dict(_merge(dict(values), later, rules))


def read_rules(values: Mapping[str, Any], header: str = "") -> Tuple[MergeRules, List[Mistake]]:
    """Read how a document wants to be merged.

    Args:
        values: its keys.
        header: its part's ``Merge-Type``, or "".

    Returns:
        The rules, and what is wrong in them; what is wrong is passed over.
    """
    key = next((each for each in KEYS if values.get(each) is not None), "")
    mistakes: List[Mistake] = []
    given = _given(values.get(key, ""), key, mistakes) + _given(header, "Merge-Type", mistakes)
    if not given:
        given = _given(DEFAULT, key, mistakes)
    rules = MergeRules()
    for name, options in given:
        field = "for_" + name
        if getattr(rules, field) is None:
            rules = rules._replace(**{field: options})
    if rules.for_dict is None:
        mistakes.append(
            Mistake(
                (key,), "without dict() nothing would be merged; taken as dict()", REMEDY, 0, True
            )
        )
        rules = rules._replace(for_dict=frozenset())
    return rules, mistakes


def _given(how: Any, key: str, mistakes: List[Mistake]) -> List[Tuple[str, FrozenSet[str]]]:
    """The rules of a text or a list, in order."""
    found = []
    for name, options in _named(how, key, mistakes):
        known = OPTIONS.get(name)
        if known is None:
            mistakes.append(_wrong(key, "there is no %s()" % ascii(name[:20])[1:-1]))
            continue
        unknown = [each for each in options if each not in known]
        if unknown:
            mistakes.append(_wrong(key, "%s() knows only %s" % (name, ", ".join(known))))
        found.append((name, frozenset(options)))
    return found


def _named(how: Any, key: str, mistakes: List[Mistake]) -> List[Tuple[str, List[str]]]:
    found = []
    if isinstance(how, str):
        for each in how.lower().split("+"):
            match = _RULE.match(each.strip().replace("-", "_"))
            if match:
                words = [word.strip() for word in match.group(2).split(",")]
                found.append((match.group(1), [word for word in words if word]))
            elif each.strip():
                mistakes.append(_wrong(key, "a part of it is not NAME(OPTIONS)"))
        return found
    for item in how if isinstance(how, list) else [how]:
        name, options = _pair(item)
        if not isinstance(name, str) or not _are_texts(options):
            mistakes.append(_wrong(key, "an item is not a name with a list of settings"))
            continue
        found.append((name.replace("-", "_").strip(), options))
    return found


def _pair(item: Any) -> Tuple[Any, Any]:
    """The name and the options of an item, of whatever types they are."""
    if isinstance(item, dict):
        settings = item.get("settings")
        return item.get("name"), [settings] if isinstance(settings, str) else settings
    if isinstance(item, list) and item:
        return item[0], item[1:]
    return None, None


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _wrong(key: str, what: str) -> Mistake:
    return Mistake((key,), what + "; this is passed over", REMEDY, 0, True)


# -- merging
# --------------------------------------------------------------------------------------------------


def _merge(old: Any, new: Any, rules: MergeRules) -> Any:
    """Merge two values. The kind of the earlier one decides."""
    if isinstance(old, dict) and rules.for_dict is not None:
        return _merge_dicts(old, new, rules, rules.for_dict)
    if isinstance(old, list) and rules.for_list is not None:
        return _merge_lists(old, new, rules, rules.for_list)
    if isinstance(old, str) and rules.for_str is not None:
        if "append" in rules.for_str and isinstance(new, str):
            return old + new
        return new
    return old


def _merge_dicts(old: Dict[str, Any], new: Any, rules: MergeRules, options: FrozenSet[str]) -> Any:
    if not isinstance(new, dict):
        return old
    replaces = _method(DICT_METHODS, options, "no_replace") == "replace"
    merged = dict(old)
    for key, value in new.items():
        if key not in merged:
            merged[key] = value
        elif value is None and "allow_delete" in options:
            del merged[key]
        elif replaces:
            merged[key] = value
        elif isinstance(value, dict) or _recurses(value, options):
            merged[key] = _merge(merged[key], value, rules)
    return merged


def _merge_lists(old: List[Any], new: Any, rules: MergeRules, options: FrozenSet[str]) -> Any:
    method = _method(LIST_METHODS, options, "replace")
    if not isinstance(new, list):
        return new if method == "replace" else old
    if method == "append":
        return old + new
    if method == "prepend":
        return new + old
    merged = list(old)
    if method == "replace":
        # By position; what the later list has beyond the earlier one is not added.
        for at, value in enumerate(new[: len(old)]):
            merged[at] = value
            if _recurses(value, options):
                merged[at] = _merge(old[at], value, rules)
    return merged


def _method(methods: Tuple[str, ...], options: FrozenSet[str], default: str) -> str:
    return next((each for each in methods if each in options), default)


def _recurses(value: Any, options: FrozenSet[str]) -> bool:
    """Whether values under one key or at one position are merged with each other."""
    if isinstance(value, dict):
        return "recurse_dict" in options
    if isinstance(value, list):
        return "recurse_array" in options or "recurse_list" in options
    return isinstance(value, str) and "recurse_str" in options
