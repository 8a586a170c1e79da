"""The SSH host keys that `clean` and `generalize` remove, and those that stay.

Without host keys sshd does not start, and VMs with the same host keys can pose as each other. So
generalize removes them only if lightinit will make new ones. It says which other ones all VMs made
from the image would share.
"""

from __future__ import annotations

import os
from typing import List, Tuple

from lightinit.commands.removal.changes import Change, RemovalContext, removals
from lightinit.commands.removal.image import marker_goes
from lightinit.formats.ssh.dropbear_keys import DEFAULTS, is_on_demand, list_places
from lightinit.formats.ssh.dropbear_options import read_started
from lightinit.formats.ssh.host_keys import (
    is_host_key_file,
    is_made_anew,
    is_private_key_file,
    private_name,
)
from lightinit.formats.ssh.sshd_config import read_host_keys
from lightinit.host.accounts.tools import has_tool
from lightinit.host.init import systemd
from lightinit.host.ssh import dropbear_keys, host_keys
from lightinit.host.ssh.dropbear import read_option_texts
from lightinit.host.ssh.servers import SERVERS
from lightinit.host.system import System
from lightinit.marks import Marks
from lightinit.model import Frequency
from lightinit.state import CURRENT, DISABLED

MODULE = "ssh_host_keys"
SECTION = "module." + MODULE
UNIT = "lightinit.service"
# What a crash has left.
SCRATCHES = (host_keys.SCRATCH, host_keys.GIVEN, dropbear_keys.SCRATCH, dropbear_keys.GIVEN)
SHARED = "every VM made from this image would have the same"


def plan_host_keys(context: RemovalContext) -> List[Change]:
    """All SSH host keys, with their public parts and certificates."""
    names = host_keys.list_host_keys(context.system, is_host_key_file)
    dropbears = [
        end for place in _list_dropbears(context.system) for end in (place, place + ".pub")
    ]
    return removals(
        context.system,
        ["%s/%s" % (host_keys.FOLDER, name) for name in names] + dropbears + list(SCRATCHES),
    )


def _list_dropbears(system: System) -> List[str]:
    """dropbear's host keys: where its scripts ask for them, and in its usual places."""
    texts = read_option_texts(system)
    options = read_started(texts.units, texts.scripts, texts.files, texts.uci)
    places = list_places(options, texts.units + texts.scripts + texts.files) + list(DEFAULTS)
    return dropbear_keys.list_there(system, list(dict.fromkeys(places)))


def _plan_dropbears(context: RemovalContext, why: str, remedy: str) -> List[str]:
    """Those that lightinit, or dropbear itself, makes again on each VM, with their public parts."""
    system = context.system
    there = _list_dropbears(system)
    if there and not has_tool(system, "dropbearkey") and not has_tool(system, "dropbearmulti"):
        why, remedy = "dropbearkey is not installed", "install it"
        texts = read_option_texts(system)
        options = read_started(texts.units, texts.scripts, texts.files, texts.uci)
        if is_on_demand(options, texts.units + texts.scripts + texts.files):
            why = ""
    if why and there:
        context.note(
            "the host keys of dropbear stay (%s): %s, so lightinit would make no new ones; %s ones:"
            " %s, then run this again" % (", ".join(there), why, SHARED, remedy)
        )
        return []
    return [end for place in there for end in (place, place + ".pub")]


def plan_image_keys(context: RemovalContext) -> List[Change]:
    """The host keys that lightinit makes again on each VM."""
    system = context.system
    there = host_keys.list_host_keys(system, is_host_key_file)
    named = [
        path for path in host_keys.configured_keys(system, read_host_keys) if path.startswith("/")
    ]
    real = {system.path(path) for path in named}
    odd = {
        name
        for name in map(private_name, there)
        if not is_made_anew(name) and {_real(system, name), _real(system, name) + ".pub"} & real
    }
    names = [name for name in there if private_name(name) not in odd]
    ours = {_real(system, name) for name in names}
    for path in named:
        if system.exists(path) and system.path(path) not in ours:
            context.note(
                "the SSH host key %s stays: sshd_config names it, and lightinit makes no new one in"
                " its place; %s one: remove it from sshd_config, or have each VM make its own"
                % (path, SHARED)
            )
    for server in SERVERS:
        for path in server.foreign_host_keys(system):
            context.note(
                "the SSH host key %s stays: lightinit makes no new ones for %s; %s one: %s"
                % (path, server.name, SHARED, server.host_key_remedy())
            )
    why, remedy = why_none_made(context, marker_goes(system))
    if why and names:
        context.note(
            "the SSH host keys stay: %s, so lightinit would make no new ones; %s ones: %s, then run"
            " this again; or, if something else makes new ones: lightinit clean --ssh-host-keys"
            % (why, SHARED, remedy)
        )
        names = []
    dropbears = _plan_dropbears(context, why, remedy)
    return removals(
        system,
        ["%s/%s" % (host_keys.FOLDER, name) for name in names] + dropbears + list(SCRATCHES),
    )


def note_next_boot(context: RemovalContext, keys_go: bool, records_go: bool) -> None:
    """Add a note if the host keys of the next boot may surprise.

    Args:
        context: gets the note.
        keys_go: whether the host keys are removed.
        records_go: whether the records of the instances are removed.
    """
    why = why_none_made(context, False)[0]
    if keys_go and why:
        context.note(
            "lightinit would make no new SSH host keys: %s. sshd does not start without them" % why
        )
    elif (
        records_go
        and not keys_go
        and not why
        and host_keys.list_host_keys(context.system, is_private_key_file)
    ):
        context.note("the next boot provisions anew, and so it makes new SSH host keys")


def why_none_made(context: RemovalContext, marker_is_going: bool) -> Tuple[str, str]:
    """(why the next boot makes no SSH host keys on a new VM, what to do); ("", "") if it does.

    Args:
        context: has the machine and its settings.
        marker_is_going: whether the marker that switches lightinit off is removed.
    """
    system, settings = context.system, context.settings
    if os.path.lexists(system.path(DISABLED, follow_last=False)) and not marker_is_going:
        return "%s switches lightinit off" % DISABLED, "remove that file"
    if not settings["lightinit"]["enabled"]:
        return "`enabled = no` (%s)" % settings.origins["lightinit"]["enabled"], "set it to yes"
    if MODULE not in settings["lightinit"]["modules"]:
        return (
            "`modules =` (%s) does not list %s"
            % (
                settings.origins["lightinit"]["modules"],
                MODULE,
            ),
            "add it there",
        )
    if settings[SECTION]["keep_existing"]:
        return (
            "`keep_existing = yes` (%s)" % settings.origins[SECTION]["keep_existing"],
            "set it to no",
        )
    mark = Marks(system, CURRENT, "").path(SECTION, Frequency.ONCE)
    if settings[SECTION]["frequency"] == Frequency.ONCE.value and system.exists(mark):
        return (
            "%s has `frequency = once` (%s), and has run"
            % (
                MODULE,
                settings.origins[SECTION]["frequency"],
            ),
            "remove " + mark,
        )
    return _why_not_started(system)


def _real(system: System, name: str) -> str:
    return system.path("%s/%s" % (host_keys.FOLDER, name))


def _why_not_started(system: System) -> Tuple[str, str]:
    """Why systemd does not start lightinit, and what to do. Other init systems are not checked."""
    if system.exists("/sbin/init"):
        if os.path.basename(system.path("/sbin/init")) != "systemd":
            return "", ""
    elif not systemd.is_installed(system):
        return "", ""
    if systemd.is_masked(system, UNIT):
        return "%s is masked" % UNIT, "systemctl unmask " + UNIT
    if not systemd.has_unit(system, UNIT):
        return "there is no %s" % UNIT, "install it"
    if not systemd.is_linked(system, UNIT):
        return "%s is not enabled" % UNIT, "systemctl enable " + UNIT
    return "", ""
