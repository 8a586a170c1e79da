"""From how the steps went to what the platform hears: Ready, or NotReady with the reason of the first failure."""
from __future__ import annotations

from typing import Any, Optional

from lightinit.errors import LightinitError
from lightinit.formats import kvp as records
from lightinit.formats.dmi import swap_byte_order
from lightinit.host import kvp
from lightinit.host.system import System


def vm_id_of(instance_id: str, has_efi: bool) -> str:
    """The platform's vmId from the instance id, for reports that are made before IMDS has said it.

    Source: docs/protocol.md: on Gen1 VMs (no /sys/firmware/efi) vmId is product_uuid byte-swapped, on Gen2 as it is.
    """
    return instance_id if has_efi else swap_byte_order(instance_id)


def report(datasource: Any, failure: Optional[LightinitError], vm_id: str) -> str:
    """Tell the platform how it went.

    Args:
        datasource: has ``report_ready()`` and ``report_failure(error, vm_id)``.
        failure: why it is not ready; None when it is.
        vm_id: for the failure's description.

    Returns:
        ``Ready`` or ``NotReady``: what the platform has accepted.

    Raises:
        LightinitError: the platform has accepted nothing.
    """
    if failure is None:
        datasource.report_ready()
        return "Ready"
    datasource.report_failure(failure, vm_id)
    return "NotReady"


def report_provisioning(system: System, description: str) -> None:
    """Leave the report in Hyper-V's key-value pool, where the host looks when it hears the health report. So call it before.

    Args:
        system: the machine.
        description: one record, as :mod:`lightinit.formats.health` makes it.

    Raises:
        ProvisioningError: it could not be; the platform still hears the health report. It takes some seconds at most.
    """
    kvp.append(system, records.encode_report(description), records.RECORD_BYTES)


def report_event(system: System, key: str, value: str) -> None:
    """Leave telemetry of any kind in that pool; a long ``value`` takes several records.

    Raises:
        ProvisioningError: as :func:`report_provisioning`.
    """
    kvp.append(system, records.encode_records(key, value), records.RECORD_BYTES)
