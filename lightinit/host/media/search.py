"""Finds the provisioning media, reads the document on it, and ejects it. It knows devices, and not
what the document says.

The search runs beside everything else, since media may come late, and nothing that it does can
hang: each device is looked at by a process of its own (:mod:`lightinit.host.media.reader`), which
is given up when it does not answer. What was found wanting is collected, not raised: media may well
be absent.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock
from lightinit.host.media import devices
from lightinit.host.media.devices import Candidate
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.media")
AUTO = "auto"
LIMIT_BYTES = 1024 * 1024
# the kernel may have to load what it needs, and a busy host takes seconds; what takes longer hangs
LOOK_LIMIT_S = 30.0
POLL_S = 0.25
# Between two looks at a drive that had nothing: each look is a process, so they become rarer.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
# what optical drives have before disks are looked at, should they not have answered by then
HEAD_START_S = 2.0
MOST_AT_ONCE = 8
# a first look that is given up after less says nothing of its device: it may just have come
SLOW_S = 1.0
# What is said of a device that surely holds no media: an empty drive, another disk.
HARMLESS = (
    "No medium found",
    "neither UDF nor ISO 9660",
    "has no ovf-env.xml",
    "found no ovf-env.xml",
    "not one of this",
)


@dataclass(frozen=True)
class Medium:
    """The document and where it came from.

    Attributes:
        device: the device, image or directory, as the VM sees it.
        data: the document as it stands. A secret.
        how: how it was read, for the log.
        optical: whether it lies in a drive that can eject it.
    """

    device: str
    data: bytes = field(repr=False)
    how: str = ""
    optical: bool = False


class _Place:
    """A place that was or will be looked at: what it held then, and when it is due again."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.due_s: Optional[float] = 0.0  # None: not again, unless it comes to hold something else
        self.pause_s = FIRST_PAUSE_S
        self.hung = False


class MediaSearch:
    """Looks for the media in the background.

    Start it early, ask for its result late, and stop it in any case: it goes on until it has found
    something. None of its methods raises, and each may be called at any time, also when it was
    never started.

    Args:
        system: the machine.
        accept: whether a document is the one that is looked for; called in the search's own thread.
            It must not raise.
        where: ``auto``, which looks at all devices and in a scratch root at none; or the path of a
            block device, of an image of one (which is never mounted), or of a directory that holds
            the document. A path is below the root.
        limit_bytes: how long the document may be.
        look_limit_s: seconds that one device may take to answer, by real time.
        find: lists what to look at instead, as the VM sees it.
        command: starts another reader than our own.
    """

    def __init__(
        self,
        system: System,
        accept: Callable[[bytes], bool],
        where: str = AUTO,
        limit_bytes: int = LIMIT_BYTES,
        look_limit_s: float = LOOK_LIMIT_S,
        find: Optional[Callable[[], Sequence[Candidate]]] = None,
        command: Sequence[str] = (),
    ) -> None:
        self._system = system
        self._accept = accept
        self._limit_bytes = limit_bytes
        self._look_limit_s = look_limit_s
        self._command = command
        self._find = find or (self._devices if where == AUTO else lambda: (Candidate(where, True),))
        self._nowhere = find is None and where == AUTO and not system.live
        self._places: Dict[str, _Place] = {}
        # By path, a media_look.Look. That is imported only where there is something to look at.
        self._looks: Dict[str, Any] = {}
        self._why: Dict[str, str] = {}
        self._began_s = 0.0
        self._stopping = threading.Event()
        self._settled = threading.Event()  # nothing is being looked at just now
        self._over = threading.Event()  # found, or given up
        self._found: Optional[Medium] = None
        self._thread: Optional[threading.Thread] = None

    # -- for whoever wants the media
    # -------------------------------------------------------------------------------

    @property
    def tried(self) -> List[Tuple[str, str]]:
        """Each device that was looked at, and why it was not it: what to say when nothing was
        found.
        """
        return list(self._why.items())

    @property
    def troubles(self) -> List[Tuple[str, str]]:
        """Of those that were tried, the ones that may hold media all the same: what an operator
        should hear of.
        """
        return [
            (device, why)
            for device, why in self._why.items()
            if not any(each in why for each in HARMLESS)
        ]

    def start(self) -> None:
        """Begin. A second start does nothing."""
        if self._thread is not None or self._nowhere or self._stopping.is_set():
            if self._nowhere:
                self._system.skip("looking for provisioning media on this machine's devices")
            return
        self._thread = threading.Thread(target=self._run, name="lightinit-media", daemon=True)
        self._thread.start()

    def result(self, wait_s: float) -> Optional[Medium]:
        """The medium, as soon as it is found.

        Args:
            wait_s: for how many seconds to wait at most, by the system's clock. Where that moves
                only when somebody sleeps, it stands still while a device is being looked at.

        Returns:
            None when nothing was found until then; the search goes on, and may be asked again.
        """
        if self._thread is None:
            return None
        if type(self._system.clock) is Clock:
            self._over.wait(max(0.0, wait_s))
            return self._found
        deadline_s = self._system.clock.monotonic() + wait_s
        while True:
            self._settled.wait(self._look_limit_s + 1.0)
            left_s = deadline_s - self._system.clock.monotonic()
            if self._over.is_set() or left_s <= 0:
                return self._found
            self._system.clock.sleep(min(POLL_S, left_s))

    def settle(self, wait_s: float) -> None:
        """Wait until what is there has been looked at, in whatever way that ended.

        Args:
            wait_s: for how many seconds to wait at most, by real time.
        """
        if self._thread is not None:
            self._settled.wait(max(0.0, wait_s))

    def stop(self) -> None:
        """End the search; what is being looked at is given up. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2.0)  # it looks at the event several times a second

    # -- in the background
    # -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._began_s = time.monotonic()
        try:
            while not self._stopping.is_set() and self._found is None:
                self._start_looks()
                if self._looks:
                    self._settled.clear()
                    from lightinit.host.media import look as media_look

                    for path in media_look.wait_for(self._looks, POLL_S / 2):
                        if self._found is None:
                            # The first of several, should they have answered together.
                            self._finish(path)
                else:
                    self._settled.set()
                    self._stopping.wait(POLL_S)
        finally:
            for path in list(self._looks):
                look = self._looks.pop(path)
                if path not in self._why and look.age_s >= SLOW_S:
                    # Nobody knows what is there, and the user must hear of that.
                    self._note(path, "it did not answer within %.1f s" % look.age_s)
                look.abandon()
            self._settled.set()
            self._over.set()

    def _devices(self) -> Sequence[Candidate]:
        return devices.candidates(self._system)

    def _start_looks(self) -> None:
        now_s = time.monotonic()
        waiting_for_first = False
        for candidate in self._find():
            place = self._places.get(candidate.path)
            if place is None or (place.candidate != candidate and not place.hung):
                place = self._places[candidate.path] = _Place(candidate)
            # Two documents are hardly ever there; if they are, a drive's is taken, whichever
            # answers first.
            if candidate.first and candidate.path in self._looks:
                waiting_for_first = waiting_for_first or now_s - self._began_s < HEAD_START_S
            if (
                place.due_s is None
                or place.due_s > now_s
                or candidate.path in self._looks
                or len(self._looks) >= MOST_AT_ONCE
                or (waiting_for_first and not candidate.first)
            ):
                continue
            try:
                from lightinit.host.media.look import Look

                self._looks[candidate.path] = Look(
                    "look",
                    self._system.path(candidate.path),
                    self._limit_bytes,
                    self._look_limit_s,
                    self._system.live,
                    self._command,
                )
                waiting_for_first = waiting_for_first or candidate.first
            except (OSError, ProvisioningError) as error:
                self._note(candidate.path, "it cannot be looked at: %s" % error)
                self._put_off(place)

    def _finish(self, path: str) -> None:
        answer, place = self._looks.pop(path).end(), self._places[path]
        if answer.found and self._accept(answer.data):
            self._found = Medium(path, answer.data, answer.text, answer.optical)
            self._why.pop(path, None)
            LOG.debug("provisioning media: %s, %s", path, answer.text)
            return
        self._note(
            path, "its document is not one of this platform's" if answer.found else answer.text
        )
        place.hung = answer.hung
        if answer.again or (place.candidate.first and not answer.hung):
            self._put_off(place)
        else:
            place.due_s = None

    def _put_off(self, place: _Place) -> None:
        place.due_s = time.monotonic() + place.pause_s
        place.pause_s = min(LONGEST_PAUSE_S, place.pause_s * 2)

    def _note(self, path: str, why: str) -> None:
        if self._why.get(path) != why:
            LOG.debug("no provisioning media on %s: %s", path, why)
        self._why[path] = why


def eject(system: System, medium: Medium, limit_s: float = LOOK_LIMIT_S) -> str:
    """Eject the medium, since it holds a password. Only a drive ejects: a disk or an image stays as
    it is.

    Args:
        system: the machine.
        medium: what a search found.
        limit_s: seconds that the drive may take.

    Returns:
        "" when it was ejected, otherwise why not.
    """
    if not medium.optical:
        return "%s is not an optical drive" % medium.device
    if not system.live:
        system.skip("ejecting the provisioning media")
        return ""
    from lightinit.host.media import look as media_look

    try:
        look = media_look.Look("eject", system.path(medium.device), LIMIT_BYTES, limit_s, False)
    except (OSError, ProvisioningError) as error:
        return "it cannot be asked: %s" % error
    while not media_look.wait_for({medium.device: look}, POLL_S):
        pass
    answer = look.end()
    return "" if answer.found else answer.text
