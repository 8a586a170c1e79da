"""Makes SSH host keys for the instance before sshd starts, and logs their fingerprints.

Otherwise all VMs of one image would have the same keys, and one VM could pose as another. The keys
are those of `ssh-keygen -A` and of dropbearkey, made once per instance. The init system starts sshd
and dropbear after lightinit.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, Mapping

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.ssh.servers import find_server, list_servers
from lightinit.host.system import System
from lightinit.host_keys import openssh
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

# This file is imported before the wait for the network, since that is when keys are begun. So what
# :func:`begin` does not need is imported where it is needed.

LOG = logging.getLogger("lightinit.ssh_host_keys")

DROPBEAR = "dropbear"


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of host keys, as settings.

    Args:
        values: its keys.
    """
    from lightinit.formats.cloud_config.readers.host_keys import KEYS, read_host_keys

    if not any(key in values for key in KEYS):
        return {}
    given, _ = read_host_keys(values)
    found: Dict[str, Any] = {"given": given}
    if given.delete is not None:
        found["keep_existing"] = not given.delete
    return found


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Replace the SSH host keys.

    Args:
        instance: every instance gets its own keys. If sshd runs already, it is asked about this
            one's admin.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py, and "given": what
            a cloud-config says of host keys.

    Returns:
        How many keys were made, given and kept; a warning for each other key that sshd_config
        names, and for each given one that cannot be used.

    Raises:
        ProvisioningError: the keys cannot be made or put in place; /etc/ssh then has old keys or
            complete new ones. Or sshd_config names only keys that do not exist.
    """
    name = instance.admin.name if instance.admin is not None else "root"
    if not system.live:
        system.skip("SSH host keys")
        return _apply_in_scratch_root(system, settings, name)
    try:
        dropbears = _renew_dropbears(system, settings)
    except ProvisioningError as error:
        if find_server(system).name == DROPBEAR:
            raise
        dropbears = Outcome("", ("the host keys of dropbear were not made: %s" % error,))
    return _join(dropbears, openssh.renew(system, settings, name))


def _apply_in_scratch_root(system: System, settings: ModuleSettings, user: str) -> Outcome:
    given = settings.get("given")
    if given is not None and find_server(system).name == openssh.SSHD:
        from lightinit.host_keys.scratch_root import place

        return place(system, given, user)
    return Outcome(
        "SSH host keys left as they are: commands are not run in a scratch root", skipped=True
    )


def begin(system: System, settings: ModuleSettings) -> None:
    """Begin to make the keys that :func:`apply` puts in place, while lightinit waits for the
    network. If that is not possible, :func:`apply` makes them.

    Args:
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.
    """
    if not system.live:
        return
    keep = bool(settings["keep_existing"])
    for begin_keys in (openssh.begin, _begin_dropbears):
        try:
            begin_keys(system, keep)
        except (LightinitError, OSError) as error:
            LOG.info("host keys are not begun early: %s", error)


def _join(dropbears: Outcome, opensshs: Outcome) -> Outcome:
    warnings = tuple(opensshs.warnings) + tuple(dropbears.warnings)
    if not dropbears.message:
        return Outcome(opensshs.message, warnings, skipped=opensshs.skipped)
    if opensshs.skipped:
        return Outcome(dropbears.message, warnings)
    return Outcome("%s; %s" % (opensshs.message, dropbears.message), warnings)


def _has_dropbear(system: System) -> bool:
    return DROPBEAR in [server.name for server in list_servers(system)]


def _begin_dropbears(system: System, keep: bool) -> None:
    if _has_dropbear(system):
        from lightinit.host_keys import dropbear

        dropbear.begin(system, keep)


def _renew_dropbears(system: System, settings: ModuleSettings) -> Outcome:
    if not _has_dropbear(system):
        return Outcome("")
    from lightinit.host_keys import dropbear

    return dropbear.renew(system, bool(settings["keep_existing"]), settings.get("given"))
