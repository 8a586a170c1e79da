"""Finds the provisioning media, reads the document on them, and ejects them. It does not interpret
the document.

The search runs in the background, since media may come late. It cannot hang: a separate process
(:mod:`lightinit.host.media.reader`) reads each device, and lightinit gives it up if it does not
answer. A device without the document is not an error, since a VM may have no media. The search
records what it found on each device.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock, begin
from lightinit.host.media import devices
from lightinit.host.media.devices import Candidate
from lightinit.host.system import System
from lightinit.model import NamedTuple, repr_without

LOG = logging.getLogger("lightinit.media")
AUTO = "auto"
LIMIT_BYTES = 1024 * 1024
# The kernel may have to load a module, and a busy host takes seconds. A device that takes longer
# counts as hung.
LOOK_LIMIT_S = 30.0
POLL_S = 0.25
# The pauses between two searches of a drive. Each search starts a process, so the pauses grow.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
# Disks are searched after the optical drives have answered, or after this time.
HEAD_START_S = 2.0
MOST_AT_ONCE = 8
# How long a stopped search is waited for. It takes a fraction of a second; on a busy machine its
# thread may lag, and it notes last which devices did not answer.
STOP_LIMIT_S = 10.0
# If the first search of a device is given up earlier, there is no warning: it may be a new device.
SLOW_S = 1.0


class Medium(NamedTuple):
    """The document and its source.

    Attributes:
        device: the device, image or directory, as the VM sees it.
        data: the document. A secret.
        how: how it was read, for the log.
        optical: whether it is in an optical drive, which can eject it.
    """

    device: str
    data: bytes
    how: str = ""
    optical: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "data")


class _Miss(NamedTuple):
    """Why no document was read from a device, and whether the device certainly has none."""

    why: str
    harmless: bool = False


class _Place:
    """A candidate with its state: its size at the last search, and when the next search is due."""

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.due_s: Optional[float] = 0.0  # None: only if there is another medium
        self.pause_s = FIRST_PAUSE_S
        self.hung = False


class MediaSearch:
    """Searches for the media in the background.

    Start it early, ask for its result late, and always stop it: it runs until it has found the
    document. Its methods raise no errors. Each may be called at any time, even if the search was
    never started.

    Args:
        system: the machine.
        names: file names of the document, such as ``("ovf-env.xml",)``, the best one first.
        accept: takes a document; returns whether it is the right one. It is called in the search's
            thread, and must not raise an error.
        where: ``auto`` for all devices (none in a scratch root); or the path of a block device, of
            an image of one (which is never mounted), or of a directory with the document. A path is
            below the root.
        limit_bytes: the greatest size of the document.
        look_limit_s: seconds of real time that one device may take to answer.
        find: lists other candidates, as the VM sees them.
        command: the command of another reader than ours.
    """

    def __init__(
        self,
        system: System,
        names: Sequence[str],
        accept: Callable[[bytes], bool],
        where: str = AUTO,
        limit_bytes: int = LIMIT_BYTES,
        look_limit_s: float = LOOK_LIMIT_S,
        find: Optional[Callable[[], Sequence[Candidate]]] = None,
        command: Sequence[str] = (),
    ) -> None:
        self._system = system
        self._names = tuple(names)
        self._accept = accept
        self._limit_bytes = limit_bytes
        self._look_limit_s = look_limit_s
        self._command = command
        self._where = where
        self._find = find or self._default_places
        self._nowhere = find is None and where == AUTO and not system.live
        self._places: Dict[str, _Place] = {}
        # The running readers by path. Their class is imported only if there is a device to search.
        self._looks: Dict[str, Any] = {}
        self._misses: Dict[str, _Miss] = {}
        self._began_s = 0.0
        self._stopping = threading.Event()
        self._settled = threading.Event()  # no device is being searched now
        self._over = threading.Event()  # found, or given up
        self._found: Optional[Medium] = None
        self._thread: Optional[threading.Thread] = None
        self._is_here = False  # there is no thread for it: whoever waits for the result searches

    # -- for the caller
    # ----------------------------------------------------------------------------------------------

    @property
    def tried(self) -> List[Tuple[str, str]]:
        """The devices that were searched, each with the reason why no document was read."""
        return [(device, miss.why) for device, miss in self._list_misses()]

    @property
    def troubles(self) -> List[Tuple[str, str]]:
        """The entries of :attr:`tried` for devices that may have the document, for a warning."""
        return [(device, miss.why) for device, miss in self._list_misses() if not miss.harmless]

    def _list_misses(self) -> List[Tuple[str, _Miss]]:
        # The search may add one meanwhile. A copy of a dict is made in one step, a loop is not.
        return list(self._misses.copy().items())

    def start(self) -> None:
        """Start the search. A second start does nothing."""
        if self._nowhere:
            self._system.skip("looking for provisioning media on this machine's devices")
            return
        if self._thread is not None or self._is_here or self._stopping.is_set():
            return
        thread = threading.Thread(target=self._run, name="lightinit-media", daemon=True)
        self._is_here = not begin(thread)
        if self._is_here:
            self._began_s = time.monotonic()
        else:
            self._thread = thread

    def result(self, wait_s: float) -> Optional[Medium]:
        """Wait for the medium.

        Args:
            wait_s: seconds to wait at most, by the system's clock. A test clock that moves only in
                sleeps stands still while a device is being searched.

        Returns:
            The medium, or None if it was not found. The search continues, and this may be called
            again.
        """
        if self._is_here:
            self._search_here(self._system.clock, wait_s, until_settled=False)
            return self._found
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
        """Wait until all present devices have been searched, with or without success.

        Args:
            wait_s: seconds of real time to wait at most.
        """
        if self._is_here:
            self._search_here(Clock(), wait_s, until_settled=True)
        elif self._thread is not None:
            self._settled.wait(max(0.0, wait_s))

    def stop(self) -> None:
        """Stop the search, and give up readers that still run. A second stop does nothing."""
        self._stopping.set()
        if self._is_here:
            self._end()
        elif self._thread is not None:
            self._thread.join(STOP_LIMIT_S)

    # -- in the background
    # ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._began_s = time.monotonic()
        try:
            while not self._is_over():
                if not self._look_on():
                    self._settled.set()
                    self._stopping.wait(POLL_S)
        finally:
            self._end()
            self._settled.set()
            self._over.set()

    def _search_here(self, clock: Clock, wait_s: float, until_settled: bool) -> None:
        """Search in this thread, for ``wait_s`` seconds of ``clock`` at most."""
        ends_s = clock.monotonic() + wait_s
        while not self._is_over():
            is_looking = self._look_on()
            if self._found is not None:
                self._end()
            left_s = ends_s - clock.monotonic()
            if left_s <= 0 or (until_settled and not is_looking):
                return
            if not is_looking:
                clock.sleep(min(POLL_S, left_s))

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self._found is not None

    def _look_on(self) -> bool:
        """Look at the devices for a moment. Returns whether one is being looked at."""
        self._start_looks()
        if not self._looks:
            return False
        self._settled.clear()
        from lightinit.host.media import look as media_look

        for path in media_look.wait_for(self._looks, POLL_S / 2):
            if self._found is None:
                # If several devices have answered together, the first one counts.
                self._finish(path)
        return True

    def _end(self) -> None:
        """Give up the readers that still run."""
        for path in list(self._looks):
            look = self._looks.pop(path)
            if path not in self._misses and look.age_s >= SLOW_S:
                # The content of the device is unknown, so there must be a warning.
                self._note(path, _Miss("it did not answer within %.1f s" % look.age_s))
            look.abandon()

    def _default_places(self) -> Sequence[Candidate]:
        if self._where == AUTO:
            return devices.candidates(self._system)
        return (Candidate(self._where, True),)

    def _start_looks(self) -> None:
        now_s = time.monotonic()
        waiting_for_first = False
        for candidate in self._find():
            place = self._places.get(candidate.path)
            if place is None or (place.candidate != candidate and not place.hung):
                place = self._places[candidate.path] = _Place(candidate)
            # If there are two documents, the one in a drive counts, even if it is read later.
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
                    self._names,
                    self._limit_bytes,
                    self._look_limit_s,
                    self._system.live,
                    self._command,
                )
                waiting_for_first = waiting_for_first or candidate.first
            except (OSError, ProvisioningError) as error:
                self._note(candidate.path, _Miss("it cannot be looked at: %s" % error))
                self._put_off(place)

    def _finish(self, path: str) -> None:
        answer, place = self._looks.pop(path).end(), self._places[path]
        if answer.found and self._accept(answer.data):
            self._found = Medium(path, answer.data, answer.text, answer.optical)
            self._misses.pop(path, None)
            LOG.debug("provisioning media: %s, %s", path, answer.text)
            return
        miss = _Miss(answer.text, answer.harmless)
        if answer.found:
            miss = _Miss("its document is not one of this platform's", harmless=True)
        self._note(path, miss)
        place.hung = answer.hung
        if answer.again or (place.candidate.first and not answer.hung):
            self._put_off(place)
        else:
            place.due_s = None

    def _put_off(self, place: _Place) -> None:
        place.due_s = time.monotonic() + place.pause_s
        place.pause_s = min(LONGEST_PAUSE_S, place.pause_s * 2)

    def _note(self, path: str, miss: _Miss) -> None:
        if self._misses.get(path) != miss:
            LOG.debug("no provisioning media on %s: %s", path, miss.why)
        self._misses[path] = miss


def eject(system: System, medium: Medium, limit_s: float = LOOK_LIMIT_S) -> str:
    """Eject the medium, since it contains a password. This does nothing for a disk or an image.

    Args:
        system: the machine.
        medium: the result of a search.
        limit_s: seconds that the drive may take.

    Returns:
        "" if the medium was ejected, else why not.
    """
    if not medium.optical:
        return "%s is not an optical drive" % medium.device
    if not system.live:
        system.skip("ejecting the provisioning media")
        return ""
    from lightinit.host.media import look as media_look

    try:
        look = media_look.Look("eject", system.path(medium.device), (), LIMIT_BYTES, limit_s, False)
    except (OSError, ProvisioningError) as error:
        return "it cannot be asked: %s" % error
    while not media_look.wait_for({medium.device: look}, POLL_S):
        pass
    answer = look.end()
    if answer.found:
        return ""
    return answer.text
