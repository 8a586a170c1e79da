"""The differences of two machines, and the tables of docs/cloud-config.md and docs/datasources.md
that tell of them.
"""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set

from lightinit.formats.cloud_config.keys import KEYS, NOT
from tests.lib.scratch import HERE
from tests.peers.user_data.inside.changes import Change
from tests.peers.user_data.machines import Result

PAGE = HERE + "/docs/cloud-config.md"
HEADING = "## Beside cloud-init"
ONLY = {"cloud_init": "only cloud-init", "lightinit": "only lightinit"}
PARTS = ("mode", "owner", "content")
PASSWD = ("name", "password", "number", "group", "comment", "home", "shell")
TOP_KEY = re.compile(r"^([a-z_-]+):", re.MULTILINE)


class Difference(NamedTuple):
    """Something that is not the same on both machines.

    Attributes:
        path: of a file; or of one with the account's or group's name; or the command that was
            asked.
        what: ``only cloud-init``, ``only lightinit``, ``answer``, one of PARTS or of PASSWD.
        told: both sides, for the failure's message.
    """

    path: str
    what: str
    told: str


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        documents: the documents in which it occurs, by what their names begin with before a hyphen;
            ``all``, or ``all but`` some.
        path: a pattern; several with commas.
        what: as in a difference; several with commas.
    """

    documents: str
    path: str
    what: str

    def is_of(self, document: str) -> bool:
        """Whether the difference occurs in a document, by its name."""
        beginning = document.partition("-")[0]
        every, _, but = self.documents.partition("all")
        if every == self.documents:
            return beginning in self.documents.split()
        return beginning not in but.split()

    def numbers(self) -> Set[str]:
        """The numbers of documents that it names."""
        return set(re.findall(r"[0-9]+", self.documents))

    def tells(self, difference: Difference) -> bool:
        """Whether it is this row's difference."""
        if difference.what not in re.split(r", *", self.what):
            return False
        patterns = re.split(r", *", self.path)
        return any(fnmatch.fnmatchcase(difference.path, each) for each in patterns)


def tell_unlisted(document: str, differences: List[Difference], rows: List[Row], page: str) -> str:
    """What a table lacks, or has and should not; "" for nothing.

    Args:
        document: its name.
        differences: those that were found.
        rows: the table.
        page: where it is, for the message.
    """
    rows = [row for row in rows if row.is_of(document)]
    unlisted = [each for each in differences if not any(row.tells(each) for row in rows)]
    if unlisted:
        lines = ["not in the table of %s:" % page]
        return "\n".join(lines + ["  %s: %s%s" % each for each in unlisted])
    gone = [row for row in rows if not any(row.tells(each) for each in differences)]
    return "in the table of %s, but both do the same: %s" % (page, gone) if gone else ""


def find_differences(found: Dict[str, Result]) -> List[Difference]:
    """All that is not the same on the two machines."""
    theirs, ours = found["cloud_init"], found["lightinit"]
    differences: List[Difference] = []
    for path in sorted({*theirs.changes, *ours.changes}):
        differences += _compare(path, theirs.changes.get(path), ours.changes.get(path))
    for name in sorted({*theirs.facts, *ours.facts}):
        sides = theirs.facts.get(name, ""), ours.facts.get(name, "")
        if sides[0] != sides[1]:
            lines = [set(each.splitlines()) for each in sides]
            told = _tell(" ".join(lines[0] - lines[1]), " ".join(lines[1] - lines[0]))
            differences.append(Difference(name, "answer", told))
    return differences


def _compare(path: str, theirs: "Change | None", ours: "Change | None") -> Iterator[Difference]:
    if theirs is None or ours is None:
        agent = "cloud_init" if ours is None else "lightinit"
        yield Difference(path, ONLY[agent], _tell(theirs, ours))
        return
    sides = zip(PARTS, theirs, ours)
    if path.startswith("/etc/passwd "):
        sides = zip(PASSWD, theirs[2].split(":"), ours[2].split(":"))
    for part, left, right in sides:
        if left != right:
            yield Difference(path, part, _tell(left, right))


def _tell(theirs: object, ours: object) -> str:
    return "\n    cloud-init: %.400r\n    lightinit:  %.400r" % (theirs, ours)


def read_rows(page: str = PAGE) -> List[Row]:
    """The rows of a page's table."""
    text = Path(page).read_text(encoding="utf-8")
    section = text.partition(HEADING + "\n")[2].partition("\n## ")[0]
    rows = []
    for line in section.splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        heads = ("documents", "seeds", "-")
        if line.startswith("|") and len(cells) == 4 and not cells[0].startswith(heads):
            rows.append(Row(*cells[:3]))
    return rows


def unsupported(data: bytes) -> Set[str]:
    """The top-level keys in user data that lightinit does not know yet."""
    known = {key.name: key for key in KEYS.values()}
    used = TOP_KEY.findall(data.decode("utf-8", "replace"))
    return {key for key in used if key in known and known[key].works == NOT}
