"""Preprovisioned VMs: which kinds of pool there are, and who the owner is.

A VM of a pool has no owner when it boots. Once it has one, IMDS gives the owner's document, the
reprovision data. Its form is that of the provisioning media.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import List, NamedTuple, Optional

from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf import OvfEnvironment

LOG = logging.getLogger("lightinit.pool")
KINDS = ("Running", "Savable", "PreprovisionedOSDisk")
DEFAULT_KIND = KINDS[0]
# The platform takes their NIC away, or stops them, when it has the report.
TAKEN_AT_REPORT = ("Savable", "PreprovisionedOSDisk")
REQUEST_TIMEOUT_S = 5.0


class OwnerData(NamedTuple):
    """What the platform says of the owner: understood, and as it came."""

    environment: OvfEnvironment = OvfEnvironment()
    document: bytes = b""


class OwnerSearch:
    """Asks IMDS for the owner.

    Attributes:
        found: the owner; None as long as there is none.
    """

    def __init__(self) -> None:
        self.found: Optional[OwnerData] = None
        self._logged = ""

    def ask(self, imds: ImdsClient) -> bool:
        """Ask once. Returns whether there is an owner; trouble means no."""
        try:
            document = imds.fetch_reprovision_data(REQUEST_TIMEOUT_S)
        except LightinitError as error:
            LOG.debug("no reprovision data: %s", error)
            return False
        if document is None:
            return False
        try:
            environment = ovf.parse(document)
        except MalformedError as error:
            self._log_once(str(error))
            return False
        # Whatever the document says: who has an owner does not wait for the next one.
        environment = replace(environment, preprovisioned=False, preprovisioned_type="")
        self.found = OwnerData(environment, document)
        return True

    def _log_once(self, problem: str) -> None:
        if problem != self._logged:
            self._logged = problem
            LOG.warning("the reprovision data cannot be used; asking again: %s", problem)


def find_kind(
    environment: Optional[OvfEnvironment], imds: ImdsClient, insist: bool, warnings: List[str]
) -> str:
    """The kind of pool as the media name it, or else IMDS: either may be the only one to know.

    Args:
        environment: what the media say; None if there are none.
        imds: its client.
        insist: whether to ask IMDS again after a failure that passes. One that is down is not
            asked twice.
        warnings: where to note an unknown kind.

    Returns:
        One of ``KINDS``; "" for no pool, or an unknown kind: nobody waits in that for ever.
    """
    said = environment.preprovisioned_type if environment is not None else ""
    known = _known_kind(said)
    if not known:
        asked = imds.fetch_pool_type(insist)
        known, said = _known_kind(asked), asked or said
    if known:
        return known
    if environment is not None and environment.preprovisioned:
        return DEFAULT_KIND
    if said:
        warnings.append(
            "the platform says that this VM is preprovisioned as %s, which is unknown: it is"
            " provisioned" % ascii(said[:40])
        )
    return ""


def _known_kind(kind: str) -> str:
    """``kind`` as it is spelled in ``KINDS``, "" if it is unknown."""
    spelled = {each.lower(): each for each in KINDS}
    return spelled.get(kind.lower(), "")
