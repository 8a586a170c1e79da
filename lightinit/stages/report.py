"""From how the steps went to what the platform hears: Ready, or NotReady with the reason of the
first failure.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

from lightinit.errors import LightinitError
from lightinit.formats.instance_id import swap_byte_order
from lightinit.model import Instance


def vm_id_of(instance_id: str, has_efi: bool) -> str:
    """The platform's vmId from the instance id, for reports that are made before IMDS has said it.

    Source: docs/protocol.md: on Gen1 VMs (no /sys/firmware/efi) vmId is product_uuid byte-swapped,
        on Gen2 as it is.
    """
    return instance_id if has_efi else swap_byte_order(instance_id)


def report(
    datasource: Any,
    failure: Optional[LightinitError],
    vm_id: str,
    instance: Optional[Instance] = None,
) -> Tuple[str, Tuple[str, ...]]:
    """Tell the platform how it went.

    Args:
        datasource: has ``report_ready()`` and ``report_failure(error, vm_id, description)``; and
            perhaps ``before_report(error, vm_id, instance)``, which gives a description and
            warnings.
        failure: why it is not ready; None when it is.
        vm_id: for the failure's description.
        instance: what was fetched, if anything.

    Returns:
        ``Ready`` or ``NotReady``: what the platform has accepted; and warnings about what came
        before that.

    Raises:
        LightinitError: the platform has accepted nothing.
    """
    before = getattr(datasource, "before_report", None)
    description, warnings = before(failure, vm_id, instance) if before is not None else ("", ())
    if failure is None:
        datasource.report_ready()
        return "Ready", tuple(warnings)
    datasource.report_failure(failure, vm_id, description)
    return "NotReady", tuple(warnings)
