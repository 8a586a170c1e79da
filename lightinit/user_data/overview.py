"""What user data have in them, and how each part ended, for those who ask. It changes nothing,
fetches nothing and shows no content: that is often a secret.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.mistakes import show_key
from lightinit.formats.cloud_config.schema import check
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple
from lightinit.user_data.kept import Kept, decode, list_documents
from lightinit.user_data.parts import Part, collect
from lightinit.user_data.scripts import execution, jobs

NOT_EXECUTED = "not executed"


class PartView(NamedTuple):
    """One part.

    Attributes:
        name: as in messages.
        kind: the name of its format.
        size_bytes: its length.
        ended: how it ended; "" for a cloud-config, whose keys end one by one.
        keys: the keys of a cloud-config.
        mistakes: those of a cloud-config, with lines.
    """

    name: str
    kind: str
    size_bytes: int
    ended: str = ""
    keys: Tuple[str, ...] = ()
    mistakes: Tuple[str, ...] = ()


class DocumentView(NamedTuple):
    """Custom data, user data or vendor data.

    Attributes:
        name: ``custom data``, ``user data`` or ``vendor data``.
        kind: the name of the format.
        size_bytes: the length, decoded and unpacked.
        parts: in their order.
        warnings: what is left out, and why.
    """

    name: str
    kind: str
    size_bytes: int
    parts: Tuple[PartView, ...]
    warnings: Tuple[str, ...] = ()


class Untouched(System):
    """The machine, for those who only look: nothing is written or removed."""

    def write(self, name: str, *_: Any, **__: Any) -> None:
        """Write nothing."""

    def remove(self, name: str) -> bool:
        """Remove nothing."""
        return False


def view(system: System, instance: Instance, documents: Sequence[str]) -> List[DocumentView]:
    """Look at the user data of an instance.

    Args:
        system: the machine.
        instance: its ``custom_data``, ``user_data`` and ``vendor_data``.
        documents: ``vendor data``, ``custom data``, ``user data``: those that take effect.
    """
    found = []
    for name, text in list_documents(instance):
        kept = decode(name, text)
        if kept is not None:
            found.append(_view(Untouched(system.root), instance, kept, name in documents))
    return found


def _view(system: System, instance: Instance, kept: Kept, has_effect: bool) -> DocumentView:
    if kept.problem is not None:
        return DocumentView(kept.name, "unknown", len(kept.data), (), (str(kept.problem),))

    def make_variables() -> Mapping[str, Any]:
        from lightinit.user_data import variables

        return variables.make(system, instance)

    taken = collect(system, kept.name, kept.data, fetch_nothing, make_variables)
    planned = jobs.plan(kept, taken.parts, False) + jobs.plan_early(kept, taken.parts)
    marks = {job.part.name: execution.read_job_mark(system, job) for job in planned}
    parts = [_view_part(part, marks, has_effect) for part in taken.parts]
    return DocumentView(kept.name, kept.format, len(kept.data), tuple(parts), taken.warnings)


def _view_part(part: Part, marks: Mapping[str, Any], has_effect: bool) -> PartView:
    size = len(part.data)
    if not has_effect:
        return PartView(part.name, part.kind, size, "kept only")
    if part.handler.is_executed:
        return PartView(part.name, part.kind, size, describe_mark(marks.get(part.name)))
    if not part.handler.is_applied:
        return PartView(part.name, part.kind, size, "no effect")
    try:
        document = read(part.data)
    except LightinitError as error:
        return PartView(part.name, part.kind, size, "no effect", (), (str(error),))
    keys = tuple(show_key(key) for key in document.values)
    mistakes = tuple(str(each) for each in check(document))
    return PartView(part.name, part.kind, size, "", keys, mistakes)


def describe_mark(mark: Any) -> str:
    """How a script ended.

    Args:
        mark: its ScriptMark; None if it was not executed.
    """
    if mark is None:
        return NOT_EXECUTED
    return "%s, began at %s" % (mark.outcome or "did not end", mark.began)


def describe_commands(system: System) -> Dict[str, str]:
    """How the ``runcmd`` and the ``bootcmd`` of a cloud-config ended, as far as they have begun."""
    told = {}
    for key, marks in ((jobs.RUNCMD, jobs.MARKS), (jobs.BOOTCMD, jobs.EARLY_MARKS)):
        folder, name = marks.rsplit("/", 1)
        for found in sorted(system.list_dir(folder)):
            if found.startswith("%s%s." % (name, key)):
                told[key] = describe_mark(execution.read_mark(system, "%s/%s" % (folder, found)))
    return told


def fetch_nothing(url: str, timeout_s: float, limit_bytes: int) -> bytes:
    """Get nothing: for those who only look."""
    raise ProvisioningError("download was not kept", hint="a boot fetches it, and this does not")


def as_data(views: Sequence[DocumentView]) -> List[Dict[str, Any]]:
    """The views as JSON has them."""
    return [
        dict(each._asdict(), parts=[dict(part._asdict()) for part in each.parts]) for each in views
    ]
