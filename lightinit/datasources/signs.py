"""What a machine shows of its platform without a network, and what a datasource makes of it.

Each datasource has a file ``sign.py`` with a function ``find_sign``. It must be cheap: it is asked
at the boot of every machine, also of one that is on no platform. It must not raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence, Set, Tuple

from lightinit.datasources.kernel_line import split_words
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import NamedTuple

if TYPE_CHECKING:
    from lightinit.host.media.volumes import Volume

# The instance of this machine, if there is one.
CURRENT = "/var/lib/lightinit/instance"
KEPT_INSTANCE = CURRENT + "/instance.json"
FINISHED = CURRENT + "/sem/stage.final"
KEY = "evidence"  # in System.remembered
# Those of all datasources.
LABELS = ("cidata", "config-2")


class Sign(NamedTuple):
    """Whether a machine is on a datasource's platform.

    Attributes:
        found: None if only the network, or time, can tell.
        why: what was found or is missing, in a phrase without a full stop.
    """

    found: Optional[bool]
    why: str


class Evidence:
    """What a machine shows. Each thing is read once, when it is asked for.

    Args:
        system: the machine.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self._dmi: Optional[Dmi] = None
        self._words: Optional[Tuple[str, ...]] = None
        self._labels: Set[str] = set()
        self._volumes: List[Volume] = []

    @property
    def dmi(self) -> Dmi:
        """The firmware's tables."""
        if self._dmi is None:
            self._dmi = read_dmi(self.system, whole=True)
        return self._dmi

    @property
    def words(self) -> Tuple[str, ...]:
        """The words of the kernel's command line, without quotes."""
        if self._words is None:
            self._words = tuple(split_words(self.system.read_text("/proc/cmdline")))
        return self._words

    def find_volumes(self, labels: Sequence[str]) -> List[Volume]:
        """The volumes with one of these labels, whatever its case: optical drives first. None in a
        scratch root: this machine's devices are not its own.
        """
        wanted = {label.lower() for label in labels}
        if not wanted <= self._labels:
            from lightinit.host.media.volumes import list_volumes

            self._labels |= wanted.union(LABELS)  # all at once: each look reads all devices
            self._volumes = list_volumes(self.system, sorted(self._labels))
        return [volume for volume in self._volumes if volume.label.lower() in wanted]


def find_unfinished(system: System, platform: str) -> Sign:
    """Whether the first boot of this machine's instance has not ended, by its marks. Its seed may
    have been attached to that boot alone; all that it said is kept, and what is left to do is done.

    Args:
        system: the machine.
        platform: the datasource's name. An instance of another one does not count.
    """
    if not system.exists(KEPT_INSTANCE) or system.exists(FINISHED):
        return Sign(False, "")
    from lightinit.datasources.kept import find_kept, machine_of

    name, _ = find_kept(system, platform, machine_of(system))
    return Sign(bool(name), "the first boot of instance %s has not ended" % name)


def gather(system: System) -> Evidence:
    """The evidence of this run: what was read once is not read again. Who waits for something to
    come must make one of its own.
    """
    found: Evidence = system.remembered.setdefault(KEY, Evidence(system))
    return found
