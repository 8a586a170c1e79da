"""Reports the result through the datasource: Ready, or NotReady with the reason of the first
failure.
"""

from __future__ import annotations

from typing import Optional, Tuple

from lightinit.datasources.base import Datasource
from lightinit.errors import LightinitError
from lightinit.model import Instance


def report(
    datasource: Datasource, failure: Optional[LightinitError], instance: Optional[Instance] = None
) -> Tuple[str, Tuple[str, ...]]:
    """Report the result to the platform.

    Args:
        datasource: sends the report.
        failure: why this VM is not ready; None if it is.
        instance: what was fetched, if anything.

    Returns:
        What the platform accepted (``Ready`` or ``NotReady``, "" if it takes no reports), and
        warnings.

    Raises:
        LightinitError: the platform did not accept the report.
    """
    if not datasource.REPORTS:
        return "", ()
    warnings = datasource.report(failure, instance)
    if failure is None:
        return "Ready", warnings
    return "NotReady", warnings
