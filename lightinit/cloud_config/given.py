"""Reads the cloud-configs that are in user data, and merges them into one. It applies nothing, and
knows no settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import LightinitError
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, repr_without
from lightinit.user_data.kept import VENDOR_DATA, decode, list_documents
from lightinit.user_data.parts import Part, take_apart
from lightinit.user_data.pieces import Fetch

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.mistakes import Mistake


class GivenConfig(NamedTuple):
    """The cloud-config of an instance. It may have secrets.

    Attributes:
        values: its keys.
        warnings: the mistakes in its documents. None of them has a value in it.
    """

    values: Dict[str, Any]
    warnings: Tuple[str, ...]

    def __repr__(self) -> str:
        return repr_without(self, "values")


def read_given(
    system: System,
    instance: Instance,
    documents: Sequence[str],
    fetch: Optional[Fetch] = None,
) -> Optional[GivenConfig]:
    """Read the cloud-configs of an instance.

    Args:
        system: the machine.
        instance: its ``custom_data`` and ``user_data``.
        documents: ``vendor data``, ``custom data``, ``user data``: those that take effect.
        fetch: gets what ``#include`` names; None: over this machine's network.

    Returns:
        None if there is no cloud-config in them. What cannot be decoded or taken apart is left out;
        the module custom_data tells of it.
    """
    found = _list_parts(system, instance, documents, fetch)
    parts = [(name, part) for name, part in found if part.handler.is_applied]
    if not parts:
        return None
    from lightinit.formats.cloud_config.document import read
    from lightinit.formats.cloud_config.merge import ConfigPart, lay_under, merge_all
    from lightinit.formats.cloud_config.schema import check

    configs: List[ConfigPart] = []
    of_vendor: List[ConfigPart] = []
    warnings: List[str] = []
    told: List[Mistake] = []
    for name, part in parts:
        try:
            document = read(part.data)
        except LightinitError as error:
            warnings.append("%s has no effect: %s" % (part.name, error))
            continue
        mistakes = check(document)
        told += mistakes
        warnings += ["%s: %s" % (part.name, each) for each in mistakes]
        which = of_vendor if name == VENDOR_DATA else configs
        which.append(ConfigPart(document.values, part.merge))
    merged, of_vendor_merged = merge_all(configs), merge_all(of_vendor)
    seen = {(each.path, each.what) for each in told}
    for each in (*merged.mistakes, *of_vendor_merged.mistakes):
        if (each.path, each.what) not in seen:
            warnings.append(str(each))
    return GivenConfig(lay_under(merged.values, of_vendor_merged.values), tuple(warnings))


def drop_unwanted(
    system: System,
    instance: Instance,
    documents: Sequence[str],
    fetch: Optional[Fetch] = None,
) -> Tuple[str, ...]:
    """The documents without vendor data, if a cloud-config of the owner switches them off.

    Args:
        system, instance, documents, fetch: as for :func:`read_given`.
    """
    owners = tuple(each for each in documents if each != VENDOR_DATA)
    if VENDOR_DATA not in documents or not instance.vendor_data.strip():
        return tuple(documents)
    given = read_given(system, instance, owners, fetch)
    if given is None:
        return tuple(documents)
    from lightinit.formats.cloud_config.vendor import read_vendor_data

    if read_vendor_data(given.values)[0]:
        return tuple(documents)
    return owners


def find_script_modules(
    system: System, instance: Instance, documents: Sequence[str]
) -> Tuple[str, ...]:
    """The modules that the scripts in user data need: ``bootcmd`` for a boothook, ``scripts`` for
    all others.

    Args:
        system, instance, documents: as for :func:`read_given`.
    """
    scripts = [
        each for _, each in _list_parts(system, instance, documents) if each.handler.is_executed
    ]
    if not scripts:
        return ()
    from lightinit.user_data.scripts.jobs import BOOTCMD, EARLY

    found = set()
    for each in scripts:
        found.add(BOOTCMD if each.kind == EARLY else "scripts")
    return tuple(sorted(found))


def has_written_scripts(values: Mapping[str, Any]) -> bool:
    """Whether the ``write_files`` of a cloud-config puts a script into a folder of cloud-init whose
    scripts it executes: they are for the module ``scripts``, too.

    Args:
        values: its keys.
    """
    if "write_files" not in values:
        return False
    from lightinit.formats.cloud_config.readers.commands import read_scripts

    return bool(read_scripts(values)[0].written)


def asks_for(values: Mapping[str, Any], keys: Sequence[str], field: str = "") -> bool:
    """Whether a cloud-config has something for a module.

    Args:
        values: its keys.
        keys, field: what the module declares as ``cloud_config`` and ``asked_field``.
    """
    keys = [key for key in keys if key in values]
    if not keys or not field:
        return bool(keys)
    from lightinit.formats.cloud_config.readers.section import Section

    given = Section(values)
    return any(each.yes(field) for key in keys for each in given.sections(key))


def _list_parts(
    system: System,
    instance: Instance,
    documents: Sequence[str],
    fetch: Optional[Fetch] = None,
) -> Iterator[Tuple[str, Part]]:
    """The parts of the documents, each with the name of its document."""
    for name, text in list_documents(instance):
        kept = decode(name, text)
        if name in documents and kept is not None and kept.problem is None:
            for part in take_apart(system, instance, name, kept.data, fetch=fetch).parts:
                yield name, part
