"""Many VMs at once: lightinit's own fetch and report, each with its own connections and pauses, in
threads of this process. Nothing else of a boot: no modules, and no files but an empty root.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Dict, List, Optional, Type

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.datasources.azure.settings import SETTINGS
from lightinit.errors import LightinitError
from lightinit.host.network.http import preload
from lightinit.host.system import System

JOIN_S = 900.0


class FleetVm(threading.Thread):
    """One VM.

    Args:
        root: an empty directory, for all of them.
        options: for the section [azure]; must lead to the platform.
        begins_s: when it has its lease, in monotonic seconds.
        modules_s: how long its modules take, in seconds.
        kind: its datasource.

    Attributes:
        ready_s: when the platform had accepted its report, in monotonic seconds.
        error: why it is not ready.
        results: how each of its requests ended: a status, or a reason.
    """

    def __init__(
        self,
        root: str,
        options: Dict[str, Any],
        begins_s: float,
        modules_s: float,
        kind: Type[AzureDatasource] = AzureDatasource,
    ) -> None:
        super().__init__(daemon=True)
        self._begins_s = begins_s
        self._modules_s = modules_s
        self.ready_s: Optional[float] = None
        self.error: Optional[LightinitError] = None
        self.results: List[str] = []
        wanted = {setting.key: setting.default for setting in SETTINGS}
        wanted.update(options, media="none", telemetry=False)
        self._source = kind(System(root), wanted, self._on_request)

    def run(self) -> None:
        """Boot."""
        time.sleep(max(0.0, self._begins_s - time.monotonic()))
        try:
            instance, _ = self._source.fetch("id", announce=True)
            time.sleep(self._modules_s)
            self._source.report(None, instance)
            self.ready_s = time.monotonic()
        except LightinitError as error:
            self.error = error

    def _on_request(self, method: str, url: str, result: str, *_: object) -> None:
        self.results.append(result)


def boot_fleet(
    root: str,
    count: int,
    options: Dict[str, Any],
    within_s: float,
    modules_s: float,
    seed: int = 1,
    begins_s: Optional[float] = None,
    kind: Type[AzureDatasource] = AzureDatasource,
) -> List[FleetVm]:
    """Boot ``count`` VMs, and return them when all have ended.

    Args:
        root: an empty directory.
        count: how many.
        options: as for :class:`FleetVm`.
        within_s: they get their leases at random within so many seconds.
        modules_s: as for :class:`FleetVm`.
        seed: another one gives other leases.
        begins_s: when the first may get its lease, in monotonic seconds; None: as soon as all are
            made.
        kind: as for :class:`FleetVm`.
    """
    preload()
    dice = random.Random(seed)  # noqa: S311 - the same leases in each run
    if begins_s is None:
        begins_s = time.monotonic() + 0.5 + count / 1000.0
    vms = [
        FleetVm(root, options, begins_s + dice.random() * within_s, modules_s, kind)
        for _ in range(count)
    ]
    for vm in vms:
        vm.start()
    for vm in vms:
        vm.join(JOIN_S)
    return vms
