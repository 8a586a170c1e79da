"""The local stage: which platform, which instance, which network. What it can find out without a
network, it finds out before it waits for one.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Callable, Iterable, List, Optional, Tuple

from lightinit import datasources
from lightinit.datasources.base import Datasource
from lightinit.datasources.detect import AZURE, detect, warn_of_azure
from lightinit.datasources.signs import gather
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.dhcp.clients import READERS
from lightinit.formats.instance_id import is_usable_id
from lightinit.host.identity import read_dmi
from lightinit.host.system import System
from lightinit.libraries import load
from lightinit.model import Network, Outcome
from lightinit.pipeline import Context
from lightinit.registry import find_declaration, load_module
from lightinit.settings import AUTO, datasource_section
from lightinit.stages import login_check
from lightinit.stages.pending import recall_instance
from lightinit.stages.selection.datasource import choose
from lightinit.state import DETECTION, DISABLED, find_instance

LOG = logging.getLogger("lightinit.local")
NO_NETWORK_SOURCE = "no network needed"
DISABLING_WORD = "lightinit=disabled"
# What is imported only in functions, so that nothing waits for it before the network is there.
LATER = (
    "ctypes",
    "grp",
    "http.client",
    "lightinit.stages.final",
    "lightinit.user_data.kept",
    "pwd",
    "xml.parsers.expat",
)


def use_datasource(context: Context) -> Datasource:
    """The datasource that the settings name, or that this machine shows; the first call creates
    it.

    Raises:
        ProvisioningError: it cannot be created from the settings.
    """
    if context.datasource is None:
        name = context.settings["lightinit"]["datasource"]
        if name == AUTO:
            found = detect(context.system, context.settings.values)
            context.detection, context.datasource = choose(
                context.system, found, partial(_make_datasource, context)
            )
        else:
            context.datasource = _make_datasource(context, name)
    return context.datasource


def _make_datasource(context: Context, name: str) -> Datasource:
    options = context.settings.values.get(datasource_section(name), {})

    def on_request(
        method: str, url: str, result: str, started_s: float, duration_s: float, size: int
    ) -> None:
        context.timeline.add("request", "%s %s" % (method, url), started_s, duration_s, result)

    return datasources.load(name)(context.system, options, on_request)


def refusal(context: Context) -> Optional[str]:
    """Why this machine must not be provisioned, or None. Also finds out which instance it is, if
    that is known without a network.
    """
    why = _why_off(context)
    if why is not None:
        return why
    identify(context)
    if context.platform_known is False:
        if context.detection is not None:
            return "no datasource was found (%s)" % context.detection.why
        return use_datasource(context).NOT_HERE
    return None


def _why_off(context: Context) -> Optional[str]:
    """Why lightinit is switched off, or None."""
    if context.system.exists(DISABLED):
        return "disabled by %s%s" % (DISABLED, _note_in_file(context.system))
    if DISABLING_WORD in context.system.read_text("/proc/cmdline").split():
        return "disabled by %s on the kernel's command line" % DISABLING_WORD
    if not context.settings["lightinit"]["enabled"]:
        return "disabled by enabled = no (%s)" % context.settings.origins["lightinit"]["enabled"]
    return None


def _note_in_file(system: System) -> str:
    """The reason in the file: its first line with text, without the comment sign."""
    for line in system.read_text(DISABLED).splitlines():
        said = line.strip("# \t")
        if said and not said.startswith("made-by:"):
            return ": " + said
    return ""


def identify(context: Context) -> None:
    """Find out, without a network, which platform and which instance this is. Fills in
    ``platform_known`` and, if the datasource knows it, the instance.
    """
    source = use_datasource(context)
    found = gather(context.system).dmi
    if context.settings["lightinit"]["platform_check"] == "none":
        context.platform_known = True
    elif context.detection is not None:
        context.platform_known = context.detection.found
    else:
        context.platform_known = source.is_this_platform(found)
    if context.platform_known is False:
        return
    instance_id = source.instance_id(found) or recall_instance(context.system, source)
    if is_usable_id(instance_id):  # if not, the local stage fails
        context.use_instance(find_instance(context.system, instance_id))


def run(context: Context) -> Outcome:
    """Find the network. Then find out which platform and which instance this is, unless that is
    known already.

    Raises:
        ProvisioningError: no network before the deadline; no evidence that this is the platform; no
            instance id; or the state cannot be saved.
    """
    source = use_datasource(context)
    from lightinit.host.init.agents import other_agents

    contrary = warn_of_azure(context.system, context.settings["lightinit"]["datasource"])
    if contrary:
        LOG.warning("%s", contrary)
    source.begin()
    # Before the wait for the lease: after it, this would delay Ready.
    others = other_agents(context.system)
    if source.NEEDS_NETWORK:
        network = _wait_for_network(context, source)
    else:
        network = Network(source=NO_NETWORK_SOURCE)
    if context.platform_known is None:
        source.confirm_platform(network)
        context.platform_known = True
    context.network = network
    source.connect(network)
    warnings = list(network.warnings)
    warnings += [
        "%s is enabled too and would also provision this VM; remove it, or remove lightinit" % name
        for name in others
    ]
    if not context.instance_id:
        warnings += _settle_instance(context, source)
    if context.state is None:
        raise ProvisioningError("instance id is unknown", dmi="unreadable")
    context.state.make_current()
    context.state.save_network(network)
    warnings += _tell_detection(context)
    return Outcome(summary(network, source), tuple(warnings))


def _tell_detection(context: Context) -> List[str]:
    """Keep how the datasource was found, for `lightinit query platform`. Returns warnings."""
    found, state = context.detection, context.state
    if found is None or state is None:
        return []
    signs = [{"name": name, "found": sign.found, "why": sign.why} for name, sign in found.signs]
    record = {"datasource": found.name, "signs": signs, "ignored": list(found.ignored)}
    state.save(DETECTION, record, durable=False)
    if found.name == AZURE:
        return ["ignored, since this is a VM on Azure: %s" % each for each in found.ignored]
    LOG.info("datasource %s: %s", found.name, found.why)
    for each in found.ignored:
        LOG.info("ignored, since %s comes first: %s", found.name, each)
    return []


def _settle_instance(context: Context, source: Datasource) -> Tuple[str, ...]:
    """Find out over the network which instance this is. Returns warnings.

    Raises:
        ProvisioningError: the instance is unknown, or its id cannot be the name of a folder.
    """
    warnings: Tuple[str, ...] = ()
    instance_id = source.instance_id(read_dmi(context.system))
    if not instance_id:
        instance_id, warnings = source.ask_instance_id()
    if not is_usable_id(instance_id):
        raise ProvisioningError(
            "instance id is not usable",
            id=ascii(instance_id[:80]),
            hint="an id may have letters, digits and . _ -, at most 128 in all",
        )
    context.use_instance(find_instance(context.system, instance_id))
    return warnings


def has_network(context: Context) -> Callable[[], bool]:
    """A function that tells whether the network has come for which :func:`run` has waited."""
    from lightinit.stages.network import look_for_network

    wanted = context.settings["network"]
    return look_for_network(
        context.system, use_datasource(context), wanted["grace_s"], wanted["interface"]
    )


def _wait_for_network(context: Context, source: Datasource) -> Network:
    from lightinit.stages.network import find_network, other_ways

    wanted, clock = context.settings["network"], context.system.clock
    started_s = clock.monotonic()

    def while_waiting() -> None:
        or_else, limit_s = other_ways(source), wanted["lease_timeout_s"]
        LOG.info("waiting for a DHCP lease%s, at most %g s", or_else, limit_s)
        preload(context)
        LOG.debug("all that comes later is imported")

    network = find_network(
        context.system,
        source,
        wanted["lease_timeout_s"],
        wanted["grace_s"],
        wanted["interface"],
        while_waiting,
        needs_server=context.platform_known is None and bool(source.LEASE_OPTION),
    )
    context.timeline.add("wait", "lease", started_s, clock.monotonic() - started_s, network.source)
    return network


def await_network(context: Context, what: str) -> None:
    """Wait right before something needs the network, where the datasource needs none: once in a
    run, until this machine has an address and a default route, for ``lease_timeout_s`` at most.
    What needs the network is then tried in any case.

    Nothing is waited for in a scratch root, nor where the local stage waits for a lease.

    Args:
        context: the run.
        what: needs the network, for the log.
    """
    if not context.system.live or context.has_awaited_network:
        return
    context.has_awaited_network = True
    try:
        if not use_datasource(context).NEEDS_NETWORK:
            _wait_until_online(context, what)
    except LightinitError as error:
        LOG.warning("the network is not waited for: %s", error)


def _wait_until_online(context: Context, what: str) -> None:
    from lightinit.host.network.online import wait_until_online

    clock, limit_s = context.system.clock, context.settings["network"]["lease_timeout_s"]
    began_s = clock.monotonic()
    LOG.info("waiting for an address and a default route, at most %g s: %s", limit_s, what)
    is_online = wait_until_online(context.system, limit_s)
    took_s = clock.monotonic() - began_s
    context.timeline.add("wait", "network", began_s, took_s, "there" if is_online else "none")
    if not is_online:
        LOG.warning("no network after %.1f s; all the same: %s", took_s, what)


def summary(network: Network, source: Datasource) -> str:
    """The network in one line, for the console."""
    facts: List[str] = []
    if network.address:
        facts.append("%s %s" % (network.interface or "interface unknown", network.address))
    if source.describe():
        facts.append(source.describe())
    if not facts:
        return network.source
    return "%s (%s)" % (", ".join(facts), network.source)


def resume(context: Context) -> bool:
    """Load what the local stage saved earlier in this boot. Returns whether it was all there."""
    if context.state is None:
        return False
    network = context.state.load_network()
    if network is None:
        return False
    context.network = network
    use_datasource(context).connect(network)
    return True


def use_stored_instance(context: Context, with_secrets: bool = False) -> bool:
    """Load the data that the fetch stage saved in this boot or an earlier one. Returns whether they
    are there.

    Args:
        with_secrets: whether the data count as missing if their password or private key is gone.
    """
    context.instance = None
    if context.state is not None:
        context.instance = context.state.load_instance(with_secrets)
    return context.instance is not None


def preload(context: Context) -> None:
    """Import all that the later stages need, during the wait for the lease."""
    try:
        from lightinit.host.network import http

        http.preload()
    except LibraryError:
        pass  # reported when a request is due; the network is found all the same
    readers = tuple("lightinit.formats.dhcp." + name for name in READERS)
    _import_all(use_datasource(context).LATER + readers)
    preload_work(context)


def preload_work(context: Context) -> None:
    """Import what comes after the fetch stage, during the wait for the lease or for the first
    answer.
    """
    if context.is_preloaded:
        return
    context.is_preloaded = True
    core = context.settings["lightinit"]
    names = core["modules"]
    if core["before_ready"]:
        names += core["final_modules"]
    for name in names:
        try:
            if not find_declaration(name).asked:
                load_module(name)
        except LightinitError:
            pass  # reported when the module is due
    _import_all(LATER)
    _import_all("lightinit.login." + name for name in login_check.wanted_checks(context))


def _import_all(names: Iterable[str]) -> None:
    for name in names:
        try:
            load(name)
        except LibraryError:
            pass  # reported when it is due
