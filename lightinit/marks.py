"""Run-once marks. A mark is written after its step has succeeded, never before. So a step that
failed or was cut off has no mark and runs again. If a step does work that must not begin twice, it
writes a mark of its own before that work.

Marks of frequency ``instance`` are in the folder of their instance, so a new instance id starts
without any. Marks of frequency ``once`` are outside all instances' folders. Marks of frequency
``boot`` are in /run and name their boot.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Dict, Optional, Tuple

from lightinit import __version__
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.identity import UNKNOWN
from lightinit.host.system import System
from lightinit.model import Frequency, NamedTuple, Outcome

LOG = logging.getLogger("lightinit.marks")
# What marks that a step has written itself began with in earlier versions.
EARLIER = {
    "module.scripts": tuple(
        "module.custom_data+" + name for name in ("custom-data", "user-data", "runcmd.")
    )
}


class Mark(NamedTuple):
    """The content of a mark: when its step ended (ISO 8601, UTC), how long it took, and its
    outcome.
    """

    name: str
    finished: str
    duration_s: float
    version: str
    message: str = ""
    warnings: Tuple[str, ...] = ()


class Marks:
    """The marks that count for one instance in one boot.

    Args:
        system: the machine.
        folder: that instance's directory, as the VM sees it.
        boot_id: the kernel's id of this boot.
    """

    def __init__(self, system: System, folder: str, boot_id: str) -> None:
        self._system = system
        self._boot_id = boot_id
        self._folders = {
            Frequency.INSTANCE: folder + "/sem",
            Frequency.ONCE: "/var/lib/lightinit/sem",
            Frequency.BOOT: "/run/lightinit/sem",
        }

    def path(self, name: str, frequency: Frequency) -> str:
        """Where the mark of step ``name`` (such as ``stage.fetch``) is."""
        return "%s/%s" % (self._folders[frequency], name)

    def find(self, name: str, frequency: Frequency) -> Optional[Mark]:
        """The mark of ``name``, or None if the step has to run. A damaged mark counts as none."""
        path = self.path(name, frequency)
        try:
            data = json.loads(self._system.read(path).decode("utf-8"))
            if frequency is Frequency.BOOT and data.get("boot_id") != self._boot_id:
                return None
            return Mark(
                str(data["name"]),
                str(data["finished"]),
                float(data["duration_s"]),
                str(data["version"]),
                str(data.get("message", "")),
                tuple(str(text) for text in data.get("warnings", ())),
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (
            OSError,
            ValueError,
            ArithmeticError,
            RecursionError,
            KeyError,
            TypeError,
            AttributeError,
            MalformedError,
        ) as error:
            LOG.warning("%s is damaged (%s); its step runs again", path, error)
            return None

    def write(
        self,
        name: str,
        frequency: Frequency,
        duration_s: float,
        outcome: Outcome,
        now_s: float,
        held: bool = True,
    ) -> None:
        """Write the mark of a step that has just succeeded.

        Args:
            name, frequency: as in :meth:`path`.
            duration_s: seconds that the step took.
            outcome: its result.
            now_s: Unix time.
            held: whether it stands for files. Then it is on the disk only after these are.

        Raises:
            ProvisioningError: it could not be written; the step will run again.
        """
        data: Dict[str, Any] = {
            "name": name,
            "frequency": frequency.value,
            "boot_id": self._boot_id,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s)),
            "duration_s": round(duration_s, 6),
            "version": __version__,
            "message": outcome.message,
            "warnings": list(outcome.warnings),
        }
        self._system.write(
            self.path(name, frequency),
            (json.dumps(data, indent=1) + "\n").encode("utf-8"),
            durable=frequency is not Frequency.BOOT,
            follow_last=False,
            waits=frequency is not Frequency.BOOT,  # a damaged mark counts as none
            held=held and frequency is not Frequency.BOOT,
        )

    def forget(self, name: str, frequency: Frequency) -> None:
        """Remove a mark, so that its step runs again. First remove the marks that the step itself
        has written.

        Those are in the instance's folder. Their names begin with the name of the step's mark and a
        plus sign, or as ``EARLIER`` says.
        """
        folder = self._folders[Frequency.INSTANCE]
        for found in self._system.list_dir(folder):
            if found.startswith((name + "+", *EARLIER.get(name, ()))):
                self._system.remove("%s/%s" % (folder, found))
        self._system.remove(self.path(name, frequency))

    def adopt(self) -> None:
        """Let the marks count that a process of this boot held when it was killed. No power cut has
        happened since, so what they stand for is there; it is made durable first.
        """
        if self._boot_id == UNKNOWN:
            return
        held = [
            "%s/%s" % (folder, name)
            for folder in (self._folders[Frequency.INSTANCE], self._folders[Frequency.ONCE])
            for name in self._system.list_held(folder)
        ]
        mine = [path for path in held if self._is_of_this_boot(path)]
        if not mine:
            return
        try:
            self._system.adopt(mine)
            LOG.info("marks of a process that was killed count: %d", len(mine))
        except ProvisioningError as error:
            LOG.warning("steps of a process that was killed run again: %s", error)

    def _is_of_this_boot(self, path: str) -> bool:
        try:
            data = json.loads(self._system.read_held(path).decode("utf-8"))
            return bool(data["boot_id"] == self._boot_id)
        except (OSError, ValueError, RecursionError, KeyError, TypeError, MalformedError):
            return False
