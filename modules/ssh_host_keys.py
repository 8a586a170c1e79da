"""Give the instance SSH host keys of its own, before sshd first starts, and show their fingerprints
on the console.

VMs made from one image would otherwise all have the image's: whoever has one of them could pose as
any other. It makes what `ssh-keygen -A` makes, once per instance; that sshd waits for it is the
work of the init system.
"""

from __future__ import annotations

import logging
import os
from typing import List, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.ssh import sshd_config
from lightinit.formats.ssh.host_keys import (
    fingerprint,
    is_host_key_file,
    is_private_key_file,
    private_name,
)
from lightinit.host.accounts import files
from lightinit.host.ssh import config_files, host_keys
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.ssh_host_keys")

NAME = "ssh_host_keys"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
NEEDS_INSTANCE = False
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "keep_existing",
        "boolean",
        False,
        "Keep the host keys of the image, and make only the types that are missing.",
    ),
)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Replace the SSH host keys.

    Args:
        instance: not used: every instance gets keys of its own.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        How many keys were made and kept; a warning for each file that sshd_config names besides.

    Raises:
        ProvisioningError: they could not be made or put in place; the old ones, or whole new ones,
            are there. Or sshd is set to use others, of which there is none.
    """
    if not system.live:
        system.skip("SSH host keys")
        return Outcome(
            "SSH host keys left as they are: commands are not run in a scratch root", skipped=True
        )
    sshd, keygen = system.tool("sshd"), system.tool("ssh-keygen")
    if keygen is None and sshd is not None:
        raise ProvisioningError(
            "ssh-keygen is missing",
            sshd=sshd,
            hint="install OpenSSH's client in the image, or take ssh_host_keys out of `modules =`",
        )
    if keygen is None or (sshd is None and config_files.find_config(system) is None):
        return Outcome("no OpenSSH server, so no SSH host keys", skipped=True)
    there = host_keys.list_host_keys(system, is_host_key_file)
    private = [name for name in there if is_private_key_file(name)]
    kept = (
        [name for name in private if _has_content(system, name)]
        if settings["keep_existing"]
        else []
    )
    made = host_keys.make_keys(system, keygen, kept, is_private_key_file)
    keys_gid = texts.find_group(files.read_account_file(system, "/etc/group"), "ssh_keys")
    access = host_keys.private_access(system, private, keys_gid)
    named = host_keys.configured_keys(system, sshd_config.read_host_keys)
    # What takes the place of none of the new ones, and sshd is set to use, cannot go: it may be all
    # that sshd has.
    used = [
        name
        for name in private
        if name not in made + kept and _has_content(system, name) and _is_named(system, name, named)
    ]
    host_keys.install_keys(
        system,
        made,
        access,
        [] if kept else [name for name in there if private_name(name) not in used],
    )
    for name in kept + used + made:
        _show(system, name)
    _check_one_is_there(system, named)
    warnings = _check_config(system, named, kept + made)
    why = host_keys.reload_sshd(system) if made else ""
    if why:
        warnings.append("sshd runs with the old host keys until it is restarted: %s" % why)
    stayed = ", %d kept" % len(kept + used) if kept + used else ""
    return Outcome("%d SSH host keys made%s" % (len(made), stayed), tuple(warnings))


def _has_content(system: System, name: str) -> bool:
    # A power cut may have left one that is empty.
    try:
        return os.path.getsize(system.path("%s/%s" % (host_keys.FOLDER, name))) > 0
    except OSError:
        return False


def _show(system: System, name: str) -> None:
    path = "%s/%s.pub" % (host_keys.FOLDER, name)
    try:
        LOG.info("SSH host key %s", fingerprint(system.read(path)))
    except (OSError, MalformedError) as error:
        LOG.info("SSH host key %s: its public part cannot be read: %s", path, error)


def _is_named(system: System, name: str, named: Sequence[str]) -> bool:
    # With an agent that holds the keys, sshd_config may name the public part.
    path = system.path("%s/%s" % (host_keys.FOLDER, name))
    return any(
        each.startswith("/") and system.path(each) in (path, path + ".pub") for each in named
    )


def _check_one_is_there(system: System, named: Sequence[str]) -> None:
    """sshd that finds none of the keys that it is set to use does not start. What a relative path
    means only sshd knows.
    """
    if named and not any(not each.startswith("/") or system.exists(each) for each in named):
        raise ProvisioningError(
            "sshd has no host key",
            config=config_files.find_config(system),
            files=" ".join(named),
            hint="take the HostKey lines out, so that sshd uses the keys that lightinit makes, or "
            "put these files into the image",
        )


def _check_config(system: System, named: Sequence[str], names: Sequence[str]) -> List[str]:
    """A warning when sshd is set to use keys that are none of ours: every VM of the image may have
    the same.
    """
    ours = {system.path("%s/%s" % (host_keys.FOLDER, name)) for name in names}
    ours |= {each + ".pub" for each in ours}
    others = [
        "%s (%s)" % (each, "not made anew" if system.exists(each) else "missing")
        for each in named
        if each.startswith("/") and system.path(each) not in ours
    ]
    return (
        [
            "%s names host keys that lightinit does not make: %s"
            % (config_files.find_config(system), ", ".join(others))
        ]
        if others
        else []
    )
