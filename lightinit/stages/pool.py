"""A preprovisioned VM: booted before it has an owner. It reports Ready to the pool, then waits to be somebody's.

The owner shows itself by reprovision data at IMDS. The platform moves the VM into the owner's network first: by a link
that goes down and up (Running), or by another NIC in the place of the one that is there (Savable). So each change of links
and addresses is a reason to ask at once; besides, it is asked now and then, since a change may have been missed.
"""
from __future__ import annotations

import logging
from dataclasses import replace
from typing import Optional, Tuple

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats import ovf
from lightinit.formats.ovf import OvfEnvironment
from lightinit.host import systemd
from lightinit.host.watch import Watch
from lightinit.pipeline import Context
from lightinit.stages import local
from lightinit.stages.network import find_network

LOG = logging.getLogger("lightinit.pool")
RECORD = "pool"
SAY_EVERY_S = 600.0
# After a change of the network the data come within moments: how often they are asked for, and for how long.
QUICK_POLL_S = 1.0
QUICK_FOR_S = 120.0
REQUEST_TIMEOUT_S = 5.0
EXTENSION_S = 1800.0  # by how much the service manager's own time limit is moved on


def wait_for_owner(context: Context) -> None:
    """Report that the VM is ready for the pool, wait until it has an owner, and find the network that it is in then.

    That the pool knows of this VM is recorded: after a reboot it is not reported again, only waited.

    Raises:
        LightinitError: the pool could not be told; or the owner's network did not come up.
    """
    kind, state = context.datasource.pool_type, context.state
    wait = _Wait(context)  # it notes how the network is: the platform may change that as soon as it has the report
    known = state.load(RECORD) if state is not None else None
    if not (known or {}).get("reported"):
        context.datasource.report_ready()
        if state is not None:
            state.save(RECORD, {"kind": kind, "reported": True})
    LOG.info("this VM is preprovisioned (%s) and waits for its owner; the pool knows that it is ready", kind)
    context.status.update(status="running", stage="fetch", waiting_for="owner")
    environment = wait.run()
    LOG.info("this VM has an owner")
    wanted = context.settings["network"]
    source = context.datasource
    network = find_network(context.system, wanted["lease_timeout_s"], wanted["grace_s"], wanted["interface"])
    if network != context.network:
        LOG.info("the owner's network: %s %s, WireServer %s", network.interface, network.address, network.wireserver)
        context.network = network
        if state is not None:
            state.save_network(network)
        local.use_datasource(context, network)
    context.datasource.pool_type = source.pool_type
    context.datasource.adopt(environment)
    context.status.update(waiting_for="")


class _Wait:
    """One wait for an owner."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._system = context.system
        self._clock = context.system.clock
        options = context.settings.values.get("azure", {})
        self._poll_s = max(0.05, float(options.get("reprovision_poll_s", 10.0)))
        self._said_s = self._clock.monotonic()
        self._extended_s: Optional[float] = None
        self._seen = self._links()

    def run(self) -> OvfEnvironment:
        """Wait without an end: only the platform knows when somebody takes this VM."""
        quick_until_s = 0.0
        with Watch(self._system, (), inotify=False) as watch:
            while True:
                self._keep_alive()
                found = self._ask()
                if found is not None:
                    return found
                now_s = self._clock.monotonic()
                pause_s = min(self._poll_s, QUICK_POLL_S) if now_s < quick_until_s else self._poll_s
                due_s = now_s + pause_s
                while self._clock.monotonic() < due_s:
                    watch.wait(due_s - self._clock.monotonic())
                    links = self._links()
                    if links != self._seen:
                        self._seen = links
                        LOG.info("the network changes: %s", links[0] or "no interface with a carrier")
                        quick_until_s = self._clock.monotonic() + QUICK_FOR_S
                        break

    def _ask(self) -> Optional[OvfEnvironment]:
        try:
            data = self._context.datasource.imds.fetch_reprovision_data(REQUEST_TIMEOUT_S)
        except LightinitError as error:
            LOG.debug("no reprovision data: %s", error)
            return None
        if data is None:
            return None
        try:
            found = ovf.parse(data)
        except MalformedError as error:
            LOG.warning("the reprovision data cannot be used, and are asked for again: %s", error)
            return None
        return replace(found, preprovisioned=False, preprovisioned_type="")

    def _links(self) -> Tuple[str, str]:
        """The interfaces with a carrier, and how often each interface has lost or got one.

        Both together differ whenever one comes, goes or is another, also when it was gone only while nobody looked.
        """
        found, changes = [], []
        for name in self._system.list_dir("/sys/class/net"):
            folder = "/sys/class/net/" + name
            changes.append("%s %s" % (name, self._system.read_text(folder + "/carrier_changes").strip()))
            if name != "lo" and self._system.read_text(folder + "/carrier").strip() == "1":
                found.append("%s (%s)" % (name, self._system.read_text(folder + "/address").strip()))
        return ", ".join(found), ", ".join(changes)

    def _keep_alive(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            LOG.info("still waiting for an owner")
        if self._extended_s is None or now_s - self._extended_s > EXTENSION_S / 3:
            self._extended_s = now_s
            systemd.extend_start(self._system, EXTENSION_S)
