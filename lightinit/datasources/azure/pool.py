"""Preprovisioned VMs: which kinds of pool there are, and who the owner is.

A VM of a pool has no owner when it boots. Once it has one, IMDS gives the owner's document, the
reprovision data. Its form is that of the provisioning media.
"""

from __future__ import annotations

import logging
from typing import List, Optional

from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.pool")
KINDS = ("Running", "Savable", "PreprovisionedOSDisk")
DEFAULT_KIND = KINDS[0]
# The platform takes away their NIC, or stops them, once it has the report.
TAKEN_AT_REPORT = ("Savable", "PreprovisionedOSDisk")
# IMDS may be slow, but the network may also have changed under a request, and only a new one shows
# that. So the limit of one request begins short, and grows after each that took too long.
FIRST_TIMEOUT_S, LONGEST_TIMEOUT_S = 5.0, 30.0
# The platform may take the network away before it answers the report.
FIRST_REPORT_LIMIT_S = 10.0
TIMED_OUT = "request timed out"


class OwnerData(NamedTuple):
    """The owner's document, parsed and as bytes."""

    environment: OvfEnvironment = OvfEnvironment()
    document: bytes = b""


class OwnerSearch:
    """Asks IMDS for the owner.

    Attributes:
        found: the owner; None while there is none.
    """

    def __init__(self) -> None:
        self.found: Optional[OwnerData] = None
        self._timeout_s = FIRST_TIMEOUT_S
        self._logged = ""

    def ask(self, imds: ImdsClient) -> bool:
        """Ask once. Returns whether there is an owner; False after an error too."""
        try:
            document = imds.fetch_reprovision_data(self._timeout_s)
        except LightinitError as error:
            LOG.debug("no reprovision data: %s", error)
            if error.reason == TIMED_OUT:
                self._timeout_s = min(LONGEST_TIMEOUT_S, 2 * self._timeout_s)
            return False
        if document is None:
            return False
        try:
            environment = ovf.parse(document)
        except MalformedError as error:
            self._log_once(str(error))
            return False
        # Ignore what the document says of a pool: a VM with an owner never waits for another.
        environment = environment._replace(preprovisioned=False, preprovisioned_type="")
        self.found = OwnerData(environment, document)
        return True

    def _log_once(self, problem: str) -> None:
        if problem != self._logged:
            self._logged = problem
            LOG.warning("the reprovision data cannot be used; asking again: %s", problem)


def find_kind(environment: Optional[OvfEnvironment], by_imds: str, warnings: List[str]) -> str:
    """The kind of pool from the media, or else from IMDS: sometimes only one of them names it.

    Args:
        environment: what the media say; None if there are none.
        by_imds: what IMDS says, "" for no pool or unknown.
        warnings: where to note an unknown kind.

    Returns:
        One of ``KINDS``. "" for no pool or an unknown kind: the VM must not wait for an owner who
        may never come.
    """
    said = environment.preprovisioned_type if environment is not None else ""
    known = _known_kind(said)
    if not known:
        known, said = _known_kind(by_imds), by_imds or said
    if known:
        return known
    if environment is not None and environment.preprovisioned:
        return DEFAULT_KIND
    if said:
        warnings.append(
            "the platform names the unknown pool %s; not waiting for an owner" % ascii(said[:40])
        )
    return ""


def _known_kind(kind: str) -> str:
    """``kind`` in the spelling of ``KINDS``, "" if it is unknown."""
    spelled = {each.lower(): each for each in KINDS}
    return spelled.get(kind.lower(), "")
