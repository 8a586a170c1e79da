"""Counts how often a hook was started without an end that lightinit saw.

A hook that restarts the machine must not do that for ever; one that a power cut ended runs again.
"""

from __future__ import annotations

import json
import logging

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.hooks")
MOST_STARTS = 2
BEGUN = "/var/lib/lightinit/sem/hook"


class Starts:
    """The count of one hook for one instance, in a file.

    Args:
        system: the machine.
        name: the hook's folder and name, joined by a dot.
        instance_id: "" if it is not known yet.
    """

    def __init__(self, system: System, name: str, instance_id: str) -> None:
        self._system = system
        self._path = "%s.%s" % (BEGUN, name)
        self._instance_id = instance_id

    def begin(self, hook: str) -> None:
        """Count one more start, on the disk.

        Raises:
            ProvisioningError: there were enough, or the count cannot be written.
        """
        starts = self._read()
        if starts >= MOST_STARTS:
            raise ProvisioningError(
                "hook did not end in earlier boots",
                hook=hook,
                starts=starts,
                hint="it is not started again, since it may restart the machine; to start it again:"
                " rm %s" % self._path,
            )
        record = {"instance": self._instance_id, "starts": starts + 1}
        self._system.write(self._path, (json.dumps(record) + "\n").encode("ascii"))
        self._system.make_durable()

    def end(self) -> None:
        """It has ended. If the count cannot be removed, it runs less often at most."""
        try:
            self._system.remove(self._path)
        except LightinitError as error:
            LOG.warning("%s", error)

    def _read(self) -> int:
        """The count of this instance. A damaged one counts as one start."""
        text = self._system.read_text(self._path)
        if not text:
            return 0
        try:
            record = json.loads(text)
            return int(record["starts"]) if record["instance"] == self._instance_id else 0
        except (ValueError, TypeError, KeyError, RecursionError):
            return 1
