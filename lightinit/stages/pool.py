"""A preprovisioned VM: it boots before it has an owner. It reports Ready to the pool, then waits
for its owner.

The datasource asks the platform for the owner. Before there is one, the platform moves the VM into
the owner's network: the link goes down and up, or another NIC replaces the present one. So each
change of links and addresses is a reason to ask at once. As a change may be missed, the VM also
asks at intervals.
"""

from __future__ import annotations

import logging
from typing import Optional, Tuple

from lightinit.datasources.base import Datasource
from lightinit.errors import ProvisioningError
from lightinit.host.dhcp import rebind
from lightinit.host.init import systemd
from lightinit.host.network.watch import Watch
from lightinit.host.ssh import early
from lightinit.model import NamedTuple
from lightinit.pipeline import Context
from lightinit.stages import config, local
from lightinit.stages.network import find_network

LOG = logging.getLogger("lightinit.pool")
RECORD = "pool"
SAY_EVERY_S = 600.0
# After a change of the network the owner comes within moments. Ask this often, for this long.
QUICK_POLL_S = 1.0
QUICK_FOR_S = 120.0
MIN_POLL_S = 0.05
EXTENSION_S = 2100.0  # by how much the service manager's time limit is extended
# A DHCP client that notices the link has an address by then. A client that does not is told to
# rebind.
REBIND_AFTER_S = 8.0
# A VM that had an owner in an earlier boot still has one, but the platform may not hand out the
# owner's data a second time.
KNOWN_OWNER_S = 60.0


class Record(NamedTuple):
    """What is known of this VM across reboots.

    Attributes:
        begun: a report may have been sent to the pool.
        reported: the pool accepted a report.
        owner: the VM has an owner.
    """

    begun: bool = False
    reported: bool = False
    owner: bool = False


def wait_for_owner(context: Context, source: Datasource) -> None:
    """Report Ready to the pool, wait until the VM has an owner, then find its new network.

    On the first boot Ready comes first, even if the owner's data are there already. Three facts
    are recorded, so that a reboot sends no second report:

    - The report is begun (recorded before it is sent). After a reboot the owner's data decide: if
      there are any, the report had arrived. A second report would then tell the owner that a VM is
      ready that is not.
    - The pool accepted the report. After a reboot the VM only waits.
    - The VM has an owner. After a reboot it no longer waits without limit.

    Args:
        context: the run.
        source: the datasource; its ``pool_type`` is not "".

    Raises:
        LightinitError: the pool did not accept the report, or the owner's network did not come up.
    """
    # The platform may save this VM and start it more than once. What was begun here must not be in
    # each of them, as a host key would be.
    early.abandon(context.system)
    context.watchdog.pause()
    try:
        _become_owned(context, source)
    finally:
        context.watchdog.renew()
    systemd.extend_start(context.system, EXTENSION_S)  # the whole first boot is still to come
    config.begin_early(context)
    _find_owners_network(context, source)
    source.adopt_owner()
    context.status.update(waiting_for="")


def _become_owned(context: Context, source: Datasource) -> None:
    record = _load(context)
    wait = _Wait(context, source)
    has_owner = any(record) and source.find_owner()
    if not has_owner and record.owner:
        wait.run(KNOWN_OWNER_S)
    elif not has_owner:
        if not record.reported:
            has_owner = _report(context, source, wait, record)
        if not has_owner:
            _wait_without_end(context, source, wait)
    LOG.info("this VM has an owner")
    _save(context, source, Record(begun=True, reported=True, owner=True))


def _wait_without_end(context: Context, source: Datasource, wait: _Wait) -> None:
    LOG.info(
        "this VM is preprovisioned (%s); it has reported Ready to the pool and waits for its owner",
        source.pool_type,
    )
    context.status.update(status="running", stage="fetch", waiting_for="owner")
    if not source.find_owner():
        wait.run()


def _load(context: Context) -> Record:
    data = None
    if context.state is not None:
        data = context.state.load(RECORD)
    return Record(*((data or {}).get(name) is True for name in Record._fields))


def _save(context: Context, source: Datasource, record: Record) -> None:
    if context.state is not None:
        context.state.save(RECORD, {"kind": source.pool_type, **record._asdict()})
        context.system.make_durable()  # before what it says is done


def _find_owners_network(context: Context, source: Datasource) -> None:
    wanted = context.settings["network"]
    network = find_network(
        context.system, source, wanted["lease_timeout_s"], wanted["grace_s"], wanted["interface"]
    )
    if network == context.network:
        return
    context.network = network
    if context.state is not None:
        context.state.save_network(network)
    source.connect(network)
    LOG.info("the owner's network: %s", local.summary(network, source))


def _report(context: Context, source: Datasource, wait: _Wait, record: Record) -> bool:
    """Report Ready to the pool. Returns whether there is an owner although the pool has not
    answered.

    The platform may act on a report before it answers, and a second report might go to the owner.
    So after a lost answer the report counts as accepted if VMs of this kind of pool are taken at
    the report, or if the network has changed since. Otherwise it is retried, unless there is an
    owner by then.

    Raises:
        ProvisioningError: the pool did not accept the report.
    """
    begun, lost, has_owner = record.begun, False, False

    def begin() -> None:
        nonlocal begun
        if not begun:
            _save(context, source, Record(begun=True))
        begun = True

    def is_enough(answer_lost: bool) -> bool:
        nonlocal lost, has_owner
        lost = answer_lost
        if lost and (source.is_taken_at_report() or wait.sees_change()):
            return True
        has_owner = begun and source.find_owner()
        return has_owner

    try:
        if source.report_to_pool(begin, is_enough):
            _save(context, source, Record(begun=True, reported=True))
            return False
    except ProvisioningError as error:
        has_owner = source.find_owner()
        if not has_owner and not lost:
            raise
        LOG.warning("the pool has not answered the report: %s", error)
    if not has_owner:
        LOG.info("the answer to the report was lost; not sending the report again")
    return has_owner


class _Wait:
    """One wait for an owner."""

    def __init__(self, context: Context, source: Datasource) -> None:
        self._system = context.system
        self._clock = context.system.clock
        self._source = source
        self._poll_s = max(MIN_POLL_S, source.owner_poll_s())
        self._logged_s = self._clock.monotonic()
        self._quick_until_s = self._logged_s
        self._extended_s: Optional[float] = None
        self._rebind_at_s: Optional[float] = None
        self._seen = self._links()  # now, since the platform may change them after the report

    def run(self, timeout_s: float = float("inf")) -> bool:
        """Wait for an owner. Returns whether there is one.

        By default there is no time limit: only the platform knows when somebody takes this VM.
        """
        began_s = self._clock.monotonic()
        with Watch(self._system, (), inotify=False) as watch:
            while True:
                self._pause(watch)
                if self._source.find_owner():
                    return True
                if self._clock.monotonic() - began_s >= timeout_s:
                    return False

    def sees_change(self) -> bool:
        """Whether a link has come, gone or changed since :meth:`run` last looked."""
        return self._links() != self._seen

    def _pause(self, watch: Watch) -> None:
        """Wait until it is time to ask: the pause is over, or the network has changed."""
        now_s = self._clock.monotonic()
        due_s = now_s + self._poll_s
        if now_s < self._quick_until_s:
            due_s = now_s + min(self._poll_s, QUICK_POLL_S)
        while self._clock.monotonic() < due_s:
            self._keep_alive()
            watch.wait(due_s - self._clock.monotonic())
            self._rebind_if_due()
            if self.sees_change():
                self._note_change()
                return

    def _note_change(self) -> None:
        self._seen = self._links()
        with_carrier, now_s = self._seen[0], self._clock.monotonic()
        LOG.info("the network changes: %s", with_carrier or "no interface with a carrier")
        self._quick_until_s = now_s + QUICK_FOR_S
        self._rebind_at_s = None
        if with_carrier:
            self._rebind_at_s = now_s + REBIND_AFTER_S

    def _rebind_if_due(self) -> None:
        """Make the DHCP client rebind: one that ignores the link would keep the pool's address,
        which is not valid in the owner's network.
        """
        if self._rebind_at_s is not None and self._clock.monotonic() >= self._rebind_at_s:
            self._rebind_at_s = None
            for what in rebind.rebind(self._system):
                LOG.info("%s", what)

    def _links(self) -> Tuple[str, str]:
        """The interfaces with a carrier, and how often the carrier of each interface has changed.

        A change of a link always changes this pair, even if the link was down only between two
        looks.
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
        if now_s - self._logged_s >= SAY_EVERY_S:
            self._logged_s = now_s
            LOG.info("still waiting for an owner")
        if self._extended_s is None or now_s - self._extended_s > EXTENSION_S / 4:
            self._extended_s = now_s
            systemd.extend_start(self._system, EXTENSION_S)
