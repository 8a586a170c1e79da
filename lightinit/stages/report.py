"""Tells the datasource how the steps went: Ready, or NotReady with the reason of the first
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
    """Tell the platform how it went.

    Args:
        datasource: knows whom to tell.
        failure: why this VM is not ready; None if it is.
        instance: what was fetched, if anything.

    Returns:
        ``Ready`` or ``NotReady``: what the platform has accepted, or "" if there is nobody to
        report to; and warnings.

    Raises:
        LightinitError: the platform has accepted nothing.
    """
    if not datasource.REPORTS:
        return "", ()
    warnings = datasource.report(failure, instance)
    if failure is None:
        return "Ready", warnings
    return "NotReady", warnings
