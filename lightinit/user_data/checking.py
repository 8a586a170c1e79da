"""Checks user data that have several parts, without running them or fetching anything: each
cloud-config, and whether each script is one.
"""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.merge import read_rules
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.schema import check
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.user_data import find_kind
from lightinit.user_data.overview import Untouched, fetch_nothing
from lightinit.user_data.parts import Part, collect, unwrap
from lightinit.user_data.pieces import LIMIT_BYTES

CONTAINERS = ("MIME", "#cloud-config-archive")
# A boot knows what comes of these.
UNOPENED = ("#include", "#include-once", "## template: jinja", "## template:jinja")


class PartFinding(NamedTuple):
    """Something to say.

    Attributes:
        text: what, with its place.
        has_effect: whether it is a note about what works all the same.
    """

    text: str
    has_effect: bool = False


def check_parts(system: System, name: str, data: bytes) -> Optional[Tuple[PartFinding, ...]]:
    """What is wrong with the parts of user data.

    Args:
        system: the machine, which stays as it is.
        name: of the data, for the texts.
        data: the data; they may be packed.

    Returns:
        None if they are one document, and no container.

    Raises:
        LibraryError: python3-yaml is missing or does not work.
    """
    try:
        data = unwrap(data, LIMIT_BYTES)
    except MalformedError:
        return None
    if find_kind(data)[1] not in CONTAINERS:
        return None
    untouched = Untouched(system.root)
    taken = collect(untouched, name, data, fetch_nothing, dict, unopened=UNOPENED)
    found = [PartFinding(warning) for warning in taken.warnings]
    for part in taken.parts:
        found += _check(part)
    return tuple(found)


def _check(part: Part) -> Iterator[PartFinding]:
    if part.kind in UNOPENED:
        yield PartFinding("%s: what comes of it (%s) is not checked" % (part.name, part.kind), True)
        return
    try:
        if not part.handler.is_applied:
            part.handler.check(part.name, part.kind, part.data)
            return
        document = read(part.data)
    except LightinitError as error:
        yield PartFinding("%s has no effect: %s" % (part.name, error))
        return
    mistakes: List[Mistake] = read_rules({}, part.merge)[1]
    for each in (*mistakes, *check(document)):
        place = "%s:%d: " % (part.name, each.line) if each.line else part.name + ": "
        yield PartFinding("%s%s" % (place, each._replace(line=0)), each.has_effect)
