"""A VM that is booted before it has an owner: which state it is in, and when the platform gives it
one.

Knows no HTTP. A preprovisioned VM reports Ready once without an owner ("in the pool"); then the
platform gives it one: reprovision data appear at IMDS, and the VM provisions with them and reports
Ready again. Source: what agents do (poll ``/metadata/reprovisiondata`` until it is there, with 404
until then). Not documented, and decided here: with an owner, ``ppsType`` of IMDS is None, and the
goal state has moved on by one incarnation.
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from lightinit.emulator.documents.ovf import PREPROVISIONED, find_field_problems, make_ovf_of
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.services.machine import Machine

PPS_TYPE = "extended.compute.ppsType"
Ovf = Union[bytes, Mapping[str, Any]]


def find_assign_problems(data: Mapping[str, Any]) -> List[str]:
    """Return one sentence for each thing that is wrong with a scenario's keys about preprovisioned
    VMs.
    """
    found = []
    kind, assign, after_s = (
        data.get("preprovisioned"),
        data.get("assign"),
        data.get("assign_after_s", 0),
    )
    if kind is not None and kind not in PREPROVISIONED:
        found.append("'preprovisioned' must be %s" % " or ".join(PREPROVISIONED))
    if (
        not isinstance(after_s, (int, float))
        or isinstance(after_s, bool)
        or not 0 <= after_s <= 86400
    ):
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
        "'assign' has an unknown key %r: known are ovf and instance" % key
        for key in assign
        if key not in ("ovf", "instance")
    ]
    if not isinstance(assign.get("instance", {}), dict):
        found.append("assign.instance must be an object")
    return found + ["assign.ovf " + text for text in find_field_problems(assign.get("ovf", {}))]


def _run(hook: Callable[[], Any]) -> None:
    try:
        hook()
    except EmulatorError as error:
        sys.stderr.write("lightinit-emulator: %s\n" % error)
    except Exception:
        # Somebody else's code in our thread. Whoever waits for the VM must learn why nothing
        # happens.
        sys.stderr.write("on_pool_ready failed:\n" + traceback.format_exc())


class Pool:
    """Watches for the first Ready of a preprovisioned VM, and then has the platform do its part,
    once.

    Args:
        machine: the VM.
        hook: called first, for instance to flap a link; None for nothing.
        assign: the scenario's ``assign``; None leaves giving an owner to others.
        after_s: seconds between the hook's end and the owner.
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
        """Look whether the VM has just become ready in the pool; if so, go on in a thread of its
        own.
        """
        if not self._machine.pool_ready:
            return
        with self._lock:
            begun, self._begun = self._begun, True
        if not begun:
            threading.Thread(target=self._go_on, name="emulator-pool", daemon=True).start()

    def close(self) -> None:
        """Give no owner any more."""
        self._closing.set()

    def _go_on(self) -> None:
        self._settle()
        if self._hook is not None and not self._closing.is_set():
            _run(self._hook)
        if self._assign is not None and not self._closing.wait(self._after_s):
            give_owner(self._machine, self._assign.get("ovf", {}), self._assign.get("instance"))


def give_owner(machine: Machine, ovf: Ovf, instance: Optional[Mapping[str, Any]]) -> None:
    """Give a preprovisioned VM its owner.

    Args:
        machine: the VM.
        ovf: the reprovision data: a whole document, or the arguments of ``make_ovf``.
        instance: parts of the IMDS document that are laid over the VM's from now on.

    Raises:
        EmulatorError: the fields make no document.
    """
    document = ovf if isinstance(ovf, bytes) else make_ovf_of(ovf)
    changes: Dict[str, Any] = dict(instance or {})
    with machine.lock:
        machine.change({"extended": {"compute": {"ppsType": "None"}}}, changes)
        machine.advance(1)
        machine.reprovision_data = document
