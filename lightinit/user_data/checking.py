"""Checks user data without running them or fetching anything: each cloud-config in a container,
whether each script is one, and what of them a boot would refuse.
"""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Tuple

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.merge import read_rules
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.schema import check
from lightinit.formats.user_parts.include import INCLUDE, ONCE
from lightinit.formats.user_parts.include import read as read_urls
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, SshKey, User
from lightinit.user_data import find_kind
from lightinit.user_data.overview import Untouched, fetch_nothing
from lightinit.user_data.parts import Part, collect, unwrap
from lightinit.user_data.pieces import LIMIT_BYTES, MAX_INCLUDES

CONTAINERS = ("MIME", "#cloud-config-archive")
# What a template gets where no instance is known.
SAMPLE = Instance(
    "00000000-0000-0000-0000-000000000000",
    "azure",
    ("sample",),
    User("sample", (SshKey("ssh-ed25519 AAAA sample"),)),
    location="westeurope",
)
# Without an instance these say nothing: its own data may have the variable.
UNSURE = (": variables are missing: ", "UndefinedError: ")
LACKING = "; an instance may have what sample data lack"


class PartFinding(NamedTuple):
    """Something to say.

    Attributes:
        text: what, with its place.
        has_effect: whether it is a note about what works all the same.
    """

    text: str
    has_effect: bool = False


def check_parts(
    system: System, name: str, data: bytes, instance: Optional[Instance] = None
) -> Optional[Tuple[PartFinding, ...]]:
    """What is to be said about user data and their parts.

    Args:
        system: the machine, which stays as it is.
        name: of the data, for the texts.
        data: the data; they may be packed.
        instance: for the variables of templates; None: sample data are taken.

    Returns:
        None if they are one cloud-config, or of no known kind.

    Raises:
        LibraryError: python3-yaml is missing or does not work.
    """
    try:
        data = unwrap(data, LIMIT_BYTES)
    except MalformedError:
        return None
    kind, form = find_kind(data)
    if kind.is_applied or kind.recognises_all:
        return None
    untouched = Untouched(system.root)
    taken = collect(
        untouched,
        name,
        data,
        fetch_nothing,
        lambda: _make_variables(untouched, instance or SAMPLE),
        unopened=(INCLUDE, ONCE),
    )
    found: List[PartFinding] = []
    if any(part.is_rendered for part in taken.parts):
        whose = "this machine's" if instance else "sample"
        found.append(PartFinding("%s: a template; rendered with %s data" % (name, whose), True))
    for warning in taken.warnings:
        unsure = instance is None and any(each in warning for each in UNSURE)
        found.append(PartFinding(warning + LACKING if unsure else warning, unsure))
    for part in taken.parts:
        found += _check(part, form not in CONTAINERS)
    return tuple(found)


def _make_variables(system: System, instance: Instance) -> Mapping[str, Any]:
    from lightinit.user_data import variables

    return variables.make(system, instance)


def _check(part: Part, is_alone: bool) -> Iterator[PartFinding]:
    """What is to be said about a part.

    Args:
        part: the part.
        is_alone: whether there is no other one.
    """
    name = part.name + " (rendered)" if part.is_rendered else part.name
    if part.kind in (INCLUDE, ONCE):
        yield from _check_include(part, name)
        return
    try:
        if not part.handler.is_applied:
            part.handler.check(part.name, part.kind, part.data)
            if is_alone:
                what = part.kind if part.kind == "script" else "script (%s)" % part.kind
                yield PartFinding("%s: a %s; nothing more is checked in it" % (name, what), True)
            return
        document = read(part.data)
    except LightinitError as error:
        yield PartFinding("%s has no effect: %s" % (name, error))
        return
    mistakes: List[Mistake] = read_rules({}, part.merge)[1]
    for each in (*mistakes, *check(document)):
        place = "%s:%d: " % (name, each.line) if each.line else name + ": "
        yield PartFinding("%s%s" % (place, each._replace(line=0)), each.has_effect)


def _check_include(part: Part, name: str) -> Iterator[PartFinding]:
    """What is to be said about a list of URLs."""
    from lightinit.host.network.download import check_url

    urls = read_urls(INCLUDE.encode("ascii") + b"\n" + part.data)
    if not urls:
        yield PartFinding("%s names no URL: write one on each line" % name)
        return
    for number, each in enumerate(urls, 1):
        try:
            check_url(each.url)
        except LightinitError as error:
            yield PartFinding("%s: URL %d is left out: %s" % (name, number, error))
    if len(urls) > MAX_INCLUDES:
        told = (name, len(urls) - MAX_INCLUDES, MAX_INCLUDES)
        yield PartFinding("%s: the last %d URLs are left out: the limit is %d" % told)
    yield PartFinding("%s: what is at its URLs (%s) is not checked" % (name, part.kind), True)
