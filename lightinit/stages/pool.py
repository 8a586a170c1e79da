"""A preprovisioned VM: booted before it has an owner. It reports Ready to the pool, then waits to
be somebody's.

The owner shows itself by reprovision data at IMDS. The platform moves the VM into the owner's
network first: by a link that goes down and up (Running), or by another NIC in the place of the one
that is there (Savable). So each change of links and addresses is a reason to ask at once; besides,
it is asked now and then, since a change may have been missed.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import NamedTuple, Optional, Tuple

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.host.dhcp import rebind
from lightinit.host.init import systemd
from lightinit.host.network.watch import Watch
from lightinit.pipeline import Context
from lightinit.stages import local
from lightinit.stages.network import find_network

LOG = logging.getLogger("lightinit.pool")
RECORD = "pool"
SAY_EVERY_S = 600.0
# After a change of the network the data come within moments: how often they are asked for, and for
# how long.
QUICK_POLL_S = 1.0
QUICK_FOR_S = 120.0
REQUEST_TIMEOUT_S = 5.0
EXTENSION_S = 2100.0  # by how much the service manager's own time limit is moved on
# A DHCP client that sees a link come back has an address again after that; for one that does not,
# something is done.
REBIND_AFTER_S = 8.0
# The platform takes their NIC away, or stops them, when it has the report: its answer may be lost
# on the way.
TAKEN_AT_THE_REPORT = ("Savable", "PreprovisionedOSDisk")
# Who had an owner in an earlier boot has one still; the platform may not hand out the data a second
# time.
KNOWN_OWNER_S = 60.0


class Owner(NamedTuple):
    """What the platform says of the owner: understood, and as it came."""

    environment: OvfEnvironment
    document: bytes


class Record(NamedTuple):
    """What is known of this VM over reboots: a report may have been sent, one was accepted, it has
    an owner.
    """

    begun: bool = False
    reported: bool = False
    owner: bool = False


def wait_for_owner(context: Context) -> None:
    """Report that the VM is ready for the pool, wait until it has an owner, and find the network
    that it is in then.

    Ready comes first, also where the data of an owner are there already. What was said is recorded:
    before the report is sent that it is begun, and then that it was accepted, after which a reboot
    leads to no second one, only to waiting. Where only the beginning is known (the power was cut in
    between, or the answer was lost) the data decide after a reboot: with an owner the report had
    arrived, and one more would be the owner's, of a VM that is not ready. That it has an owner is
    recorded too: after that nobody waits for ever.

    Raises:
        LightinitError: the pool could not be told; or the owner's network did not come up.
    """
    source = context.datasource
    record = _load(context)
    wait = _Wait(context)
    owner = wait.ask() if any(record) else None
    if owner is None and record.owner:
        owner = wait.run(KNOWN_OWNER_S)
    elif owner is None:
        if not record.reported:
            owner = _report(context, wait, record)
        if owner is None:
            LOG.info(
                "this VM is preprovisioned (%s) and waits for its owner; the pool was told that it"
                " is ready",
                source.pool_type,
            )
            context.status.update(status="running", stage="fetch", waiting_for="owner")
            owner = wait.ask() or wait.run()
    LOG.info("this VM has an owner")
    _save(context, Record(begun=True, reported=True, owner=True))
    systemd.extend_start(context.system, EXTENSION_S)  # all of a first boot is still to come
    _find_owners_network(context)
    # Without the data of an owner who was known before, IMDS alone says who it is.
    context.datasource.adopt(*(owner or Owner(OvfEnvironment(), b"")))
    context.status.update(waiting_for="")


def _load(context: Context) -> Record:
    data = (context.state.load(RECORD) if context.state is not None else None) or {}
    return Record(*(data.get(name) is True for name in Record._fields))


def _save(context: Context, record: Record) -> None:
    if context.state is not None:
        context.state.save(RECORD, {"kind": context.datasource.pool_type, **record._asdict()})


def _find_owners_network(context: Context) -> None:
    wanted, source = context.settings["network"], context.datasource
    network = find_network(
        context.system, wanted["lease_timeout_s"], wanted["grace_s"], wanted["interface"]
    )
    if network == context.network:
        return
    LOG.info(
        "the owner's network: %s %s, WireServer %s",
        network.interface,
        network.address,
        network.wireserver,
    )
    context.network = network
    if context.state is not None:
        context.state.save_network(network)
    local.use_datasource(context, network)
    context.datasource.succeed(source)


def _report(context: Context, wait: _Wait, record: Record) -> Optional[Owner]:
    """Tell the pool that this VM is ready. The owner, if there is one before the pool has answered.

    The platform may act on the report before it has answered it. So where the answer to a report is
    lost that has gone out, the pool counts as told if it is one that takes the VM away at once, or
    if the network has changed since; a second report might be one for the owner. Else it is tried
    again, but not when there is an owner after a report was begun.

    Raises:
        ProvisioningError: the pool could not be told.
    """
    source = context.datasource
    begun, lost = record.begun, False
    owner: Optional[Owner] = None

    def begin() -> None:
        nonlocal begun
        if not begun:
            _save(context, Record(begun=True))
        begun = True

    def is_enough(answer_lost: bool) -> bool:
        nonlocal lost, owner
        lost = answer_lost
        if lost and (source.pool_type in TAKEN_AT_THE_REPORT or wait.sees_change()):
            return True
        owner = wait.ask() if begun else None
        return owner is not None

    try:
        if source.report_to_pool(begin, is_enough):
            _save(context, Record(begun=True, reported=True))
            return None
    except ProvisioningError as error:
        owner = wait.ask()
        if owner is None and not lost:
            raise
        LOG.warning("the pool has not answered the report: %s", error)
    if owner is None:
        LOG.info("the answer to the report was lost: it has gone out, so it is not made again")
    return owner


class _Wait:
    """One wait for an owner."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._system = context.system
        self._clock = context.system.clock
        options = context.settings.values.get("azure", {})
        self._poll_s = max(0.05, float(options.get("reprovision_poll_s", 10.0)))
        self._said_s = self._clock.monotonic()
        self._said = ""
        self._extended_s: Optional[float] = None
        self._rebind_at_s: Optional[float] = None
        self._seen = self._links()  # the platform may change that as soon as it has the report

    def run(self, timeout_s: float = float("inf")) -> Optional[Owner]:
        """Wait. Without a limit there is no end: only the platform knows when somebody takes this
        VM.
        """
        began_s, quick_until_s = self._clock.monotonic(), 0.0
        with Watch(self._system, (), inotify=False) as watch:
            while True:
                now_s = self._clock.monotonic()
                due_s = now_s + (
                    min(self._poll_s, QUICK_POLL_S) if now_s < quick_until_s else self._poll_s
                )
                while self._clock.monotonic() < due_s:
                    self._keep_alive()
                    watch.wait(due_s - self._clock.monotonic())
                    self._rebind_if_due()
                    links = self._links()
                    if links != self._seen:
                        self._seen = links
                        LOG.info(
                            "the network changes: %s", links[0] or "no interface with a carrier"
                        )
                        quick_until_s = self._clock.monotonic() + QUICK_FOR_S
                        self._rebind_at_s = (
                            self._clock.monotonic() + REBIND_AFTER_S if links[0] else None
                        )
                        break
                found = self.ask()
                if found is not None or self._clock.monotonic() - began_s >= timeout_s:
                    return found

    def ask(self) -> Optional[Owner]:
        """The owner, if there is one by now and IMDS can be asked."""
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
            if str(error) != self._said:
                self._said = str(error)
                LOG.warning(
                    "the reprovision data cannot be used, and are asked for again: %s", error
                )
            return None
        return Owner(replace(found, preprovisioned=False, preprovisioned_type=""), data)

    def sees_change(self) -> bool:
        """Whether a link has come, gone or changed that :meth:`run` has not seen yet."""
        return self._links() != self._seen

    def _rebind_if_due(self) -> None:
        """Help a DHCP client that goes by its lease and not by the link: in the owner's network its
        address is nobody's.
        """
        if self._rebind_at_s is not None and self._clock.monotonic() >= self._rebind_at_s:
            self._rebind_at_s = None
            for what in rebind.rebind(self._system):
                LOG.info("%s", what)

    def _links(self) -> Tuple[str, str]:
        """The interfaces with a carrier, and how often each interface has lost or got one.

        Both together differ whenever one comes, goes or is another, also when it was gone only
        while nobody looked.
        """
        found, changes = [], []
        for name in self._system.list_dir("/sys/class/net"):
            folder = "/sys/class/net/" + name
            if name == "lo":
                continue
            changes.append(
                "%s %s" % (name, self._system.read_text(folder + "/carrier_changes").strip())
            )
            if self._system.read_text(folder + "/carrier").strip() == "1":
                found.append(
                    "%s (%s)" % (name, self._system.read_text(folder + "/address").strip())
                )
        return ", ".join(found), ", ".join(changes)

    def _keep_alive(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            LOG.info("still waiting for an owner")
        if self._extended_s is None or now_s - self._extended_s > EXTENSION_S / 4:
            self._extended_s = now_s
            systemd.extend_start(self._system, EXTENSION_S)
