"""The provisioning media: found and read by the host's part, understood by the format's, waited for
as the caller wishes.

It neither knows IMDS nor decides what the media are good for.
"""

from __future__ import annotations

import logging
from typing import Dict, List, Optional

from lightinit.errors import MalformedError
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.formats.azure.ovf_redaction import redact
from lightinit.formats.xml import OtherDocumentError
from lightinit.host.media import search
from lightinit.host.media.search import Medium
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.media")
NONE = "none"
DOCUMENT = COPY = "ovf-env.xml"
# in a namespace of Azure's documents: what is broken and lacks it is somebody else's
MARK = b"windowsazure"
# The media are there before the first lease, mostly. Where they are not, this much since the
# beginning is given to them and to their drive; but only while the machine is just coming up, and
# drivers may still be loaded.
COMING_GRACE_S = 2.0
COMING_UP_S = 60.0
# For how long media that are not needed are looked at, should their device be slow; and what the
# drive has to open.
SETTLE_S = 5.0
EJECT_S = 10.0


class MediaReading:
    """A search that begins at once, and what was found by it.

    Args:
        system: the machine.
        where: ``auto``, ``none``, or a path; see :class:`lightinit.host.media.search.MediaSearch`.

    Attributes:
        medium: what was found; known after :meth:`wait`.
        documents: a copy of the document without its secrets, by name; likewise.
    """

    def __init__(self, system: System, where: str) -> None:
        self._system = system
        self._clock = system.clock
        self._search = search.MediaSearch(
            system, (DOCUMENT,), _is_ours, search.AUTO if where == NONE else where
        )
        self._began_s = self._clock.monotonic()
        self._parsed: Optional[OvfEnvironment] = None
        self._problem = self._unusable = ""
        self.medium: Optional[Medium] = None
        self.documents: Dict[str, bytes] = {}
        if where != NONE:
            self._search.start()

    def environment(self) -> Optional[OvfEnvironment]:
        """What the media say, if they have been found by now."""
        if self.medium is None:
            self._take(self._search.result(0.0))
        return self._parsed

    def wait(self, needed: bool, wait_s: float, warnings: List[str]) -> Optional[OvfEnvironment]:
        """What the media say.

        Args:
            needed: whether media that come late are waited for; if not, only what is there is.
            wait_s: for how many seconds since the beginning of the search to wait at most.
            warnings: where to note that what was found cannot be used.

        Returns:
            None when there are none, or when they cannot be understood.
        """
        if needed:
            self._take(self._search.result(self._left_s(wait_s)))
        else:
            self._search.settle(self._left_s(min(wait_s, SETTLE_S)))
            self._take(
                self._search.result(
                    self._left_s(min(wait_s, COMING_GRACE_S)) if self._is_coming_up() else 0.0
                )
            )
        self._search.stop()
        if self._problem:
            warnings.append(self._problem)
        elif self.medium is None:
            LOG.info(
                "no provisioning media, so no password and no custom data: %s",
                self.describe() or "no drive is there",
            )
            warnings += [
                "provisioning media may be on %s, but: %s" % each for each in self._search.troubles
            ]
        return self._parsed

    def describe(self) -> str:
        """Why there is nothing to be had from the media, for an operator; "" when nothing was there
        to look at.
        """
        # Briefly: in a report there is room for a hundred characters of it.
        return self._unusable or "; ".join("%s: %s" % each for each in self._search.tried)

    def why_not_enough(self) -> str:
        """Why no account can be made from the media, after :meth:`wait`."""
        if self.describe():
            return self.describe()
        if self._parsed is None:
            return "none found"
        return "no account with a way in"

    @staticmethod
    def eject(system: System, device: str) -> str:
        """Open the drive that the media were read from.

        Returns:
            "" when they are out, otherwise why not.
        """
        return search.eject(system, Medium(device, b"", optical=True), EJECT_S)

    def _is_coming_up(self) -> bool:
        uptime = self._system.read_text("/proc/uptime").split()
        try:
            return bool(uptime) and float(uptime[0]) < COMING_UP_S
        except ValueError:
            return False

    def _left_s(self, wait_s: float) -> float:
        return max(0.0, wait_s - (self._clock.monotonic() - self._began_s))

    def _take(self, medium: Optional[Medium]) -> None:
        if medium is None or self.medium is not None:
            return
        self.medium = medium
        try:
            self._parsed = ovf.parse(medium.data)
        except MalformedError as error:
            self._problem = "the provisioning media on %s cannot be used: %s" % (
                medium.device,
                error,
            )
            self._unusable = "%s: %s" % (medium.device, error)
            LOG.warning("%s", self._problem)
        else:
            LOG.info("provisioning media: %s, %s", medium.device, medium.how)
        self.documents = {COPY: redact(medium.data)}


def _is_ours(data: bytes) -> bool:
    """Whether it is a document of Azure's, even if one that cannot be used: that is then told, and
    not passed over.
    """
    try:
        ovf.parse(data)
    except OtherDocumentError:
        return False
    except MalformedError:
        return MARK in data
    return True
