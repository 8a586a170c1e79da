"""Stores the VM's custom data, user data and vendor data in files, and tells of what in them has no
effect.

The scripts in them are executed by the module scripts. A cloud-config is settings of other modules
(``lightinit/cloud_config``). Other formats are stored, too, with a warning that they have no
effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.user_data.kept import Kept

NO_EFFECT = "%s has a format that only cloud-init understands (%s): it is kept and has no effect"
SLIP = "%s is kept and has no effect: %s"
NOT_RUN = "%s kept and not run (%s): the settings say so (`user_data` of [lightinit])"


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Store them.

    Args:
        instance: its ``custom_data``, ``user_data`` and ``vendor_data``.
        system: the machine.
        settings: ``documents``: which of them take effect.

    Returns:
        What was stored. There is a warning for data that could not be decoded, that only cloud-init
        understands, or that have no effect by the settings, and for each part that is left out.

    Raises:
        ProvisioningError: the data could not be stored.
    """
    if not (instance.custom_data + instance.user_data + instance.vendor_data).strip():
        return Outcome("no custom data or user data", skipped=True)
    from lightinit.user_data.kept import VENDOR_DATA, keep, list_documents

    told: List[str] = []
    warnings: List[str] = []
    for name, text in list_documents(instance):
        kept = keep(system, name, text)
        if kept is None:
            continue
        effect = ""
        if kept.problem is not None:
            warnings.append("%s kept as it came: %s" % (name, kept.problem))
        elif name in settings["documents"]:
            warnings += _find_without_effect(system, instance, kept)
        elif name == VENDOR_DATA and settings["documents"]:
            effect = " (switched off by the user data)"
        else:
            kind = kept.kind
            if kind.is_executed:
                effect = " (a script, not executed)"
            elif kind.is_container or kind.is_applied:
                warnings.append(NOT_RUN % (name, kept.format))
        told.append("%s kept%s" % (name, effect))
    return Outcome(", ".join(told), tuple(warnings))


def _find_without_effect(system: System, instance: Instance, kept: Kept) -> Sequence[str]:
    """What of a document has no effect, and what is left out."""
    if kept.kind.recognises_all:
        from lightinit.formats.user_parts.first_line import find_slip

        slip = find_slip(kept.data)
        return [SLIP % (kept.name, slip)] if slip else []
    if not kept.kind.is_container:
        return [NO_EFFECT % (kept.name, kept.format)] if kept.kind.warns else []
    from lightinit.user_data.parts import take_apart

    collected = take_apart(system, instance, kept.name, kept.data)
    return list(collected.warnings) + [
        NO_EFFECT % (part.name, part.kind) for part in collected.parts if part.handler.warns
    ]
