"""Preprovisioned VMs: a VM boots before it has an owner, and the platform gives it one later.

Knows no HTTP. A preprovisioned VM reports Ready once without an owner ("in the pool"). Then it gets
an owner: IMDS has reprovision data, and the VM provisions with them and reports Ready again.
Source: agents poll ``/metadata/reprovisiondata``, and get 404 until the data exist. Not documented,
so decided here: with an owner, ``ppsType`` of IMDS is None, and the incarnation increases by one.
IMDS may show that later than the reprovision data are there (canonical/cloud-init#4596).
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from lightinit.emulator.documents.ovf import PREPROVISIONED, find_field_problems, make_ovf_of
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.wire.faults import FOREVER

ASSIGN_KEYS = ("ovf", "instance", "imds_after_s")
PPS_TYPE = "extended.compute.ppsType"
Ovf = Union[bytes, Mapping[str, Any]]


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 86400


def find_assign_problems(data: Mapping[str, Any]) -> List[str]:
    """Return one sentence for each mistake in a scenario's keys about preprovisioned VMs."""
    found = []
    kind, assign, after_s = (
        data.get("preprovisioned"),
        data.get("assign"),
        data.get("assign_after_s", 0),
    )
    if kind is not None and kind not in PREPROVISIONED:
        found.append("'preprovisioned' must be %s" % " or ".join(PREPROVISIONED))
    if not _is_seconds(after_s):
        found.append("'assign_after_s' must be a number of seconds from 0 to 86400")
    if "assign_after_s" in data and "assign" not in data:
        found.append("'assign_after_s' needs 'assign' beside it")
    if "assign" not in data:
        return found
    if kind is None:
        found.append("'assign' needs 'preprovisioned' beside it")
    if not isinstance(assign, dict):
        return found + ["'assign' must be an object with 'ovf' and 'instance'"]
    found += [
        "'assign' has an unknown key %r: known are %s" % (key, ", ".join(ASSIGN_KEYS))
        for key in assign
        if key not in ASSIGN_KEYS
    ]
    late_s = assign.get("imds_after_s", 0)
    if late_s != FOREVER and not _is_seconds(late_s):
        found.append('assign.imds_after_s must be a number of seconds, or "forever"')
    if not isinstance(assign.get("instance", {}), dict):
        found.append("assign.instance must be an object")
    return found + ["assign.ovf " + text for text in find_field_problems(assign.get("ovf", {}))]


def _run(hook: Callable[[], Any]) -> None:
    try:
        hook()
    except EmulatorError as error:
        sys.stderr.write("lightinit-emulator: %s\n" % error)
    except Exception:
        # The caller's code runs in our thread. Without this text, the user would not know why the
        # VM waits for ever.
        sys.stderr.write("on_pool_ready failed:\n" + traceback.format_exc())


class Pool:
    """Waits for the first Ready of a preprovisioned VM, then runs a hook and assigns an owner.

    Args:
        machine: the VM.
        hook: called first, for example to take a link down and up; None for no hook.
        assign: the scenario's ``assign``; None if others assign the owner.
        after_s: seconds to wait between the hook's end and the assignment.
        settle: waits until the agent has the answer to its report.
    """

    def __init__(
        self,
        machine: Machine,
        hook: Optional[Callable[[], Any]],
        assign: Optional[Mapping[str, Any]],
        after_s: float,
        settle: Callable[[], Any],
    ) -> None:
        self._machine = machine
        self._hook = hook
        self._assign = assign
        self._after_s = after_s
        self._settle = settle
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._begun = False

    def notice(self) -> None:
        """Check whether the VM has become ready in the pool; if so, start the rest in a thread."""
        if not self._machine.pool_ready:
            return
        with self._lock:
            begun, self._begun = self._begun, True
        if not begun:
            threading.Thread(target=self._go_on, name="emulator-pool", daemon=True).start()

    def close(self) -> None:
        """Do not assign an owner any more."""
        self._closing.set()

    def _go_on(self) -> None:
        self._settle()
        if self._hook is not None and not self._closing.is_set():
            _run(self._hook)
        if self._assign is not None and not self._closing.wait(self._after_s):
            give_owner(
                self._machine,
                self._assign.get("ovf", {}),
                self._assign.get("instance"),
                self._assign.get("imds_after_s", 0),
            )


def give_owner(
    machine: Machine,
    ovf: Ovf,
    instance: Optional[Mapping[str, Any]],
    imds_after_s: Union[float, str] = 0,
) -> None:
    """Give a preprovisioned VM its owner.

    Args:
        machine: the VM.
        ovf: the reprovision data: a whole document, or the arguments of ``make_ovf``.
        instance: parts that are merged into the VM's IMDS document.
        imds_after_s: how many seconds IMDS still describes the pool, or "forever".

    Raises:
        EmulatorError: a field of ``ovf`` is not valid.
    """
    document = ovf
    if not isinstance(document, bytes):
        document = make_ovf_of(document)
    changes: Dict[str, Any] = dict(instance or {})

    def show_owner() -> None:
        machine.change({"extended": {"compute": {"ppsType": "None"}}}, changes)

    with machine.lock:
        if not imds_after_s:
            show_owner()
        machine.advance(1)
        machine.reprovision_data = document
    if isinstance(imds_after_s, (int, float)) and imds_after_s > 0:
        timer = threading.Timer(imds_after_s, show_owner)
        timer.daemon = True
        timer.start()
