"""What the host reads of this VM in Hyper-V's key-value pool: records of the format, appended by
the host's part.
"""

from __future__ import annotations

from lightinit.formats.azure import kvp as records
from lightinit.host.azure import kvp_pool
from lightinit.host.system import System


def report_provisioning(system: System, description: str) -> None:
    """Leave the report in the pool, where the host looks when it hears the health report. So call
    it before.

    Args:
        system: the machine.
        description: one record, as :mod:`lightinit.formats.azure.health` makes it.

    Raises:
        ProvisioningError: it could not be; the platform still hears the health report. It takes
            some seconds at most.
    """
    kvp_pool.append(system, records.encode_report(description), records.RECORD_BYTES)
