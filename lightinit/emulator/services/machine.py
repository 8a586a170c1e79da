"""The VM as the platform sees it: its IMDS document, ids, incarnation and reports.

Knows no HTTP. Safe to use from several threads.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import threading
from typing import Any, Dict, List, Mapping, Optional

from lightinit.emulator.services.paths import merge

_DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")


def read_data(name: str) -> Any:
    """Return the content of a JSON file in the emulator's data folder."""
    with open(os.path.join(_DATA, name), encoding="utf-8") as file:
        return json.load(file)


def _derive_id(vm_id: str, salt: str) -> str:
    """Derive an id in GUID form from the vmId: a different VM gets a different id."""
    digest = hashlib.sha256(("%s/%s" % (salt, vm_id)).encode("utf-8", "replace")).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _computer_name(compute: Any) -> str:
    """Return the computer's name, as far as it can be in a URL."""
    found = compute if isinstance(compute, dict) else {}
    profile = found.get("osProfile")
    name = profile.get("computerName") if isinstance(profile, dict) else ""
    return re.sub(r"[^A-Za-z0-9.-]", "-", str(name or found.get("name") or "vm"))[:64]


class Machine:
    """One VM at a time; :meth:`become` changes to another VM.

    Args:
        overrides: parts that are merged into the shipped IMDS document, in order.
    """

    def __init__(self, *overrides: Optional[Mapping[str, Any]]) -> None:
        self.lock = threading.RLock()
        self._reports: List[Dict[str, Any]] = []
        self.become(*overrides)

    def become(self, *overrides: Optional[Mapping[str, Any]]) -> None:
        """Become another VM, with incarnation 1 and its own ids; earlier reports are kept.

        ContainerId and InstanceId are derived from ``compute.vmId``: the same vmId is the same VM.
        InstanceId ends in the computer's name, as on the platform.
        """
        document = read_data("instance.json")
        for changes in overrides:
            document = merge(document, dict(changes or {}))
        compute = document.get("compute")
        vm_id = str(compute.get("vmId", "")) if isinstance(compute, dict) else ""
        with self.lock:
            self._document = document
            self.vm_id = vm_id
            self.incarnation = 1
            # Set when a preprovisioned VM gets its owner.
            self.reprovision_data: Optional[bytes] = None
            self.container_id = _derive_id(vm_id, "container")
            self.role_id = "%s._%s" % (_derive_id(vm_id, "role"), _computer_name(compute))

    def change(self, *overrides: Mapping[str, Any]) -> None:
        """Merge parts into the VM's IMDS document, in order; its ids do not change."""
        with self.lock:
            for changes in overrides:
                self._document = merge(self._document, dict(changes))

    @property
    def document(self) -> Any:
        """A copy of the whole IMDS document of the newest api-version."""
        with self.lock:
            return copy.deepcopy(self._document)

    def advance(self, steps: int) -> None:
        """Increase the incarnation by ``steps``."""
        with self.lock:
            self.incarnation += steps

    def keep_report(self, report: Dict[str, Any]) -> None:
        """Keep a report that reached the WireServer; only the first 10000 are kept."""
        with self.lock:
            if len(self._reports) < 10000:
                self._reports.append(report)

    @property
    def reports(self) -> List[Dict[str, Any]]:
        """Copies of the reports, in order of arrival."""
        with self.lock:
            return [dict(report) for report in self._reports]

    @property
    def in_pool(self) -> bool:
        """Whether the VM is preprovisioned (by ``ppsType`` of IMDS) and has no owner yet."""
        with self.lock:
            part: Any = self._document
            for word in ("extended", "compute", "ppsType"):
                part = part.get(word) if isinstance(part, dict) else None
            return part in ("Running", "Savable") and self.reprovision_data is None

    def count_ready(self, in_pool: Optional[bool] = None) -> int:
        """Count the Ready reports that were accepted.

        Args:
            in_pool: True counts only reports of VMs without an owner, False only the others, None
                all.
        """
        with self.lock:
            return sum(
                1
                for report in self._reports
                if report["accepted"]
                and report["state"] == "Ready"
                and in_pool in (None, report["in_pool"])
            )

    @property
    def pool_ready(self) -> bool:
        """Whether a VM without an owner has reported Ready."""
        return self.count_ready(in_pool=True) > 0
