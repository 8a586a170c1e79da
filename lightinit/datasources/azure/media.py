"""The provisioning media: starts the search in ``host/media``, waits for it, and parses what it
found.

It knows nothing of IMDS, and it does not decide whether the media are sufficient.
"""

from __future__ import annotations

import logging
from typing import Dict, List, Optional

from lightinit.errors import MalformedError
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.formats.xml import OtherDocumentError
from lightinit.host.media import search
from lightinit.host.media.search import Medium
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.media")
NONE = "none"
DOCUMENT = COPY = "ovf-env.xml"
# In a namespace of Azure's documents. A broken document without it is somebody else's.
MARK = b"windowsazure"
# The media are usually there before the first lease. If not, wait this long from the start of the
# search, but only while the machine is coming up: a driver may still be loading.
COMING_GRACE_S = 2.0
COMING_UP_S = 60.0
# How long to wait for a slow device if the media are not needed, and for a drive to open.
SETTLE_S = 5.0
EJECT_S = 10.0


class MediaReading:
    """A search for the media, which begins at once, and its result.

    Args:
        system: the machine.
        where: ``auto``, ``none``, or a path; see :class:`lightinit.host.media.search.MediaSearch`.

    Attributes:
        medium: what was found; set by :meth:`wait`.
        documents: copies of the documents without their secrets, by name; set by :meth:`wait`.
    """

    # Devices that are there have so many seconds in any case. All other time may be over although
    # hardly any of it was used: the VM was frozen for a while, or its clock was.
    LEAST_S = 2.0

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
            needed: whether to wait for media that may come late, or only for a drive that is there.
            wait_s: the longest wait, in seconds from the start of the search.
            warnings: where to note that the media cannot be used.

        Returns:
            None if there are none, or if they cannot be parsed.
        """
        if needed:
            self._take(self._search.result(self._left_s(wait_s)))
            if self.medium is None:
                self._search.settle(self.LEAST_S)
                self._take(self._search.result(0.0))
        else:
            self._search.settle(max(self.LEAST_S, self._left_s(min(wait_s, SETTLE_S))))
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
        """Why the media gave nothing, for an operator; "" if no drive was there."""
        # Keep it short: a report has room for a hundred characters of it.
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
            "" on success, otherwise the reason.
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
        from lightinit.formats.azure.ovf_redaction import redact

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
    """Whether the document is Azure's, even a broken one: that must lead to a warning and not be
    ignored.
    """
    try:
        ovf.parse(data)
    except OtherDocumentError:
        return False
    except MalformedError:
        return MARK in data
    return True
