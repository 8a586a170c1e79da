"""The local stage: which platform, which instance, which network. What needs no network is known
before any wait.
"""

from __future__ import annotations

import logging
from typing import Any

from lightinit import datasources
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.instance_id import is_azure, normalise_uuid
from lightinit.host.dmi import read_dmi
from lightinit.host.init.agents import other_agents
from lightinit.host.network import http
from lightinit.model import Network, Outcome
from lightinit.pipeline import Context
from lightinit.registry import load_module
from lightinit.settings import datasource_section
from lightinit.stages.network import find_network
from lightinit.stages.report import vm_id_of
from lightinit.state import find_instance

LOG = logging.getLogger("lightinit.local")


def identify(context: Context) -> None:
    """Say whose VM this is, from DMI alone: fills in ``platform_known`` and, where DMI tells it,
    the instance.

    Without a usable product_uuid the instance stays open until the platform can be asked for it.
    """
    found = read_dmi(context.system)
    if context.settings["lightinit"]["platform_check"] == "none":
        context.platform_known = True
    else:
        context.platform_known = is_azure(found.chassis_asset_tag, found.sys_vendor)
    uuid = normalise_uuid(found.product_uuid or "")
    if uuid and context.platform_known is not False:
        context.use_instance(find_instance(context.system, uuid))
        context.vm_id = vm_id_of(uuid, found.efi)


def run(context: Context) -> Outcome:
    """Find the network, then settle which platform and which instance this is where DMI left that
    open.

    Raises:
        ProvisioningError: no network before the deadline; no evidence that this is the platform; no
            instance id; or the state cannot be kept.
    """
    wanted = context.settings["network"]
    begin(context)
    # Here and not later: after the lease it would keep Ready waiting.
    others = other_agents(context.system)
    started_s = context.system.clock.monotonic()

    def while_waiting() -> None:
        LOG.info("waiting for a DHCP lease, at most %g s", wanted["lease_timeout_s"])
        preload(context)

    network = find_network(
        context.system,
        wanted["lease_timeout_s"],
        wanted["grace_s"],
        wanted["interface"],
        while_waiting,
    )
    context.timeline.add(
        "wait", "lease", started_s, context.system.clock.monotonic() - started_s, network.source
    )
    if context.platform_known is None:
        if not network.option_245:
            raise ProvisioningError(
                "platform is unknown",
                dmi="unreadable",
                option_245="absent",
                hint="if this is Azure, set platform_check = none in [lightinit]",
            )
        context.platform_known = True
    context.network = network
    use_datasource(context, network)
    warnings = list(network.warnings)
    warnings += [
        "%s is enabled too, and would provision this VM as well: remove it, or lightinit" % name
        for name in others
    ]
    if not context.instance_id:
        vm_id = normalise_uuid(context.datasource.vm_id())
        if vm_id is None:
            raise ProvisioningError(
                "instance id is unknown", dmi="unreadable", imds="no usable vmId"
            )
        context.use_instance(find_instance(context.system, vm_id))
        context.vm_id = vm_id
        warnings.append(
            "DMI has no product_uuid: the instance id is the vmId of IMDS, asked for at each boot"
        )
    if context.state is None:
        raise ProvisioningError("instance id is unknown", dmi="unreadable")
    context.state.make_current()
    context.state.save_network(network)
    chosen = str(context.settings.values.get("azure", {}).get("wireserver", "auto"))
    return Outcome(
        "%s %s, WireServer %s (%s)"
        % (
            network.interface or "interface unknown",
            network.address,
            network.wireserver if chosen == "auto" else chosen + " by the settings",
            network.source,
        ),
        tuple(warnings),
    )


def resume(context: Context) -> bool:
    """Take up what the local stage left earlier in this boot. Returns whether it was all there."""
    network = context.state.load_network() if context.state else None
    if network is None:
        return False
    context.network = network
    use_datasource(context, network)
    return True


def use_stored_instance(context: Context, with_secrets: bool = False) -> bool:
    """Take up the data that the fetch stage left, in this boot or an earlier one. Returns whether
    they are there.

    Args:
        with_secrets: they are not there if a password or a private key was among them and is gone.
    """
    context.instance = context.state.load_instance(with_secrets) if context.state else None
    return context.instance is not None


def begin(context: Context) -> None:
    """Let the datasource begin with what needs no network, if there is such a thing."""
    name = context.settings["lightinit"]["datasource"]
    start = getattr(datasources.load(name), "begin", None)
    if start is not None and context.begun is None:
        context.begun = start(
            context.system, context.settings.values.get(datasource_section(name), {})
        )


def use_datasource(context: Context, network: Network, **overrides: Any) -> None:
    """Make the datasource that the settings name, for ``network``.

    Args:
        overrides: options that count instead of the settings'.
    """
    name = context.settings["lightinit"]["datasource"]
    options = dict(context.settings.values.get(datasource_section(name), {}), **overrides)

    def on_request(
        method: str, url: str, result: Any, started_s: float, duration_s: float, size: int
    ) -> None:
        context.timeline.add("request", "%s %s" % (method, url), started_s, duration_s, str(result))

    context.datasource = datasources.load(name)(
        network, options, context.system.clock, on_request, context.system, context.begun
    )


def preload(context: Context) -> None:
    """Import what the later stages need, while there is nothing to do but wait for the lease."""
    http.preload()
    for name in context.settings["lightinit"]["modules"]:
        try:
            load_module(name)
        except LightinitError:
            pass  # said when its turn comes
