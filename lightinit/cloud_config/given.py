"""Reads the cloud-configs that are in user data, and merges them into one. It applies nothing, and
knows no settings.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats import user_data as encoding
from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.merge import ConfigPart, merge_all
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.schema import check
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, repr_without
from lightinit.user_data.kept import is_named, list_documents
from lightinit.user_data.parts import take_apart


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


def read_given(system: System, instance: Instance, execute: str) -> Optional[GivenConfig]:
    """Read the cloud-configs of an instance.

    Args:
        system: the machine.
        instance: its ``custom_data`` and ``user_data``.
        execute: the setting of custom_data that says which of these count.

    Returns:
        None if there is no cloud-config in them. What cannot be decoded or taken apart is left out;
        the module custom_data tells of it.
    """
    configs: List[ConfigPart] = []
    warnings: List[str] = []
    told: List[Mistake] = []
    found = False
    for name, text in list_documents(instance):
        if not is_named(execute, name) or not text.strip():
            continue
        try:
            data = encoding.unpack(encoding.decode(text))
        except MalformedError:
            continue
        for part in take_apart(system, instance, name, data).parts:
            if not part.handler.is_applied:
                continue
            found = True
            try:
                document = read(part.data)
            except LightinitError as error:
                warnings.append("%s has no effect: %s" % (part.name, error))
                continue
            mistakes = check(document)
            told += mistakes
            warnings += ["%s: %s" % (part.name, each) for each in mistakes]
            configs.append(ConfigPart(document.values, part.merge))
    if not found:
        return None
    merged = merge_all(configs)
    seen = {(each.path, each.what) for each in told}
    warnings += [str(each) for each in merged.mistakes if (each.path, each.what) not in seen]
    return GivenConfig(dict(merged.values), tuple(warnings))
