"""The table of what an image may have kept of its first VM: image.ini, and its rows as steps.

Each row is data. Most are done here, by their paths alone; a row with ``how = code`` has a planner.
"""

from __future__ import annotations

import configparser
import os
from functools import lru_cache
from typing import Callable, Dict, List, Mapping, Tuple

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    RemovalStep,
    file_removals,
    has_content,
    log_removals,
    matches,
    removals,
    show_some,
)
from lightinit.model import NamedTuple

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "image.ini")
REMOVED, NOTED, NOT_OURS = "removed", "noted", "not ours"
FATES = (REMOVED, NOTED, NOT_OURS)
CODE = "code"
KEYS = ("what", "fate", "how", "paths", "ops", "also", "why")


class Row(NamedTuple):
    """One kind of thing. The head of image.ini says what each field means."""

    name: str
    what: str
    fate: str
    how: str = ""
    paths: Tuple[str, ...] = ()
    operations: Tuple[str, ...] = ()
    also: Tuple[str, ...] = ()
    why: str = ""


Planner = Callable[[RemovalContext, Row], List[Change]]


@lru_cache(maxsize=None)
def read_table() -> Tuple[Row, ...]:
    """The rows, in order."""
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=True
    )
    with open(FILE, encoding="utf-8") as handle:
        parser.read_file(handle)
    return tuple(_read_row(name, parser[name]) for name in parser.sections())


def _read_row(name: str, section: Mapping[str, str]) -> Row:
    return Row(
        name,
        section["what"],
        section["fate"],
        section.get("how", ""),
        tuple(section.get("paths", "").split("\n")) if "paths" in section else (),
        tuple(section.get("ops", "").split()),
        tuple(each.strip() for each in section.get("also", "").split(",") if each.strip()),
        section.get("why", ""),
    )


def make_steps(planners: Mapping[str, Planner]) -> List[RemovalStep]:
    """The steps of all rows that something is done for, in the table's order.

    Args:
        planners: those of the rows with ``how = code``, by the name of the row.
    """
    return [_make_step(row, planners) for row in read_table() if row.fate != NOT_OURS]


def _make_step(row: Row, planners: Mapping[str, Planner]) -> RemovalStep:
    planner = planners[row.name] if row.how == CODE else KINDS[row.how]
    return RemovalStep(row.name, lambda context: planner(context, row))


# -- what needs no code of its own
# --------------------------------------------------------------------------------------------------


def _plan_files(context: RemovalContext, row: Row) -> List[Change]:
    return file_removals(context.system, row.paths)


def _plan_trees(context: RemovalContext, row: Row) -> List[Change]:
    return removals(context.system, matches(context.system, row.paths))


def _plan_notes(context: RemovalContext, row: Row) -> List[Change]:
    system = context.system
    found = [path for path in matches(system, row.paths) if has_content(system, path)]
    if found:
        verb = "stays" if len(found) == 1 else "stay"
        context.note("%s %s: %s" % (show_some(found), verb, row.why))
    return []


def _plan_logs(context: RemovalContext, row: Row) -> List[Change]:
    return log_removals(context.system, row.paths)


KINDS: Dict[str, Planner] = {
    "files": _plan_files,
    "trees": _plan_trees,
    "logs": _plan_logs,
    "exists": _plan_notes,
}
