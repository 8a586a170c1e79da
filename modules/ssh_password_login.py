"""Have sshd let the admin in with a password, or let nobody in with one, as the platform orders it.

What the image says stays where it is, and ours is put before it: of several values sshd takes the
first. sshd finds no fault with the whole before it is put in place, or the old state stays.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Dict, List, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords
from lightinit.formats.ssh import password_policy
from lightinit.host.accounts import tools
from lightinit.host.files.text import read_text_file
from lightinit.host.ssh import config_files, host_keys, sshd
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome, User
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.ssh_password_login")

NAME = "ssh_password_login"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
OPENS_LOGIN = True
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "policy",
        "text",
        "platform",
        "platform: apply the platform's order. keep: keep the image's configuration.",
        ("platform", "keep"),
    ),
)

MAIN, VENDORS = config_files.CONFIGS


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Put the platform's word on password login into sshd's configuration.

    Args:
        instance: its ``admin`` brings that word.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        Which file says it; a warning where something in sshd's configuration says otherwise all the
        same.

    Raises:
        ProvisioningError: sshd finds fault with its configuration, or the only way in would be
            shut.
    """
    if instance.admin is None:
        return Outcome("no admin account asked for", skipped=True)
    wished = passwords.login_wished(instance.admin)
    if settings["policy"] == "keep":
        kept: List[str] = []
        if wished:
            # Otherwise a VM would be ready that nobody can log in to.
            _check_force(system, instance.admin, wished, kept)
        return Outcome("password login left as the image has it", tuple(kept), skipped=True)
    if wished is None:
        return Outcome(
            "the platform does not say whether a password may open the door", skipped=True
        )
    config = config_files.find_config(system)
    if config is None or (system.live and system.tool("sshd") is None):
        return _without_openssh(system, wished)
    path, before = _put(system, config, wished, _policies(system, instance.admin, wished))
    warnings: List[str] = []
    if before:
        tools.restore_labels(system, [each for each in before if system.exists(each)])
        why = host_keys.reload_sshd(system)
        if why:
            warnings.append("sshd runs with the old policy until it is restarted: %s" % why)
    _check_force(system, instance.admin, wished, warnings)
    said = "put into" if before else "was there already, in"
    return Outcome(
        "password login %s: %s %s" % ("on" if wished else "off", said, path), tuple(warnings)
    )


def _without_openssh(system: System, wished: bool) -> Outcome:
    if not wished and tools.has_tool(system, "dropbear"):
        return Outcome(
            "no OpenSSH server",
            (
                (
                    "dropbear lets accounts in that have a password: start it with -s to switch "
                    "that off"
                ),
            ),
            skipped=True,
        )
    return Outcome("no OpenSSH server, so no password login over SSH", skipped=True)


# -- putting it in place
# -----------------------------------------------------------------------------------------------


def _policies(system: System, admin: User, wished: bool) -> List[str]:
    """What the files are to say; the second one for a sshd that the first one is strange to."""
    if wished:
        return [password_policy.policy_text(True)]
    both = [password_policy.policy_text(False, challenge) for challenge in (True, False)]
    says = password_policy.read_effective(sshd.effective(system, admin.name))
    return both[1:] if says and password_policy.CHALLENGE not in says else both


def _put(
    system: System, config: str, wished: bool, policies: List[str]
) -> Tuple[str, Dict[str, Optional[str]]]:
    """Put the first policy that sshd takes in place; (the file that has it, what was there of those
    that changed).
    """
    text = read_text_file(system, config) or ""
    plain = password_policy.drop_block(text)
    policy = policies[0]
    if not system.live:
        system.skip("sshd's own check of its configuration")
    fault = sshd.find_fault(system)
    if fault:  # it has one without us, and names the line
        raise _faulty(config, fault)
    for policy in policies:
        fault = sshd.find_fault_in(system, policy + plain)
        if not fault:
            break
    if fault:
        raise _faulty(config, fault)
    wanted: Dict[str, Optional[str]]
    if password_policy.drop_in_counts(
        plain, config_files.DROP_IN, partial(config_files.list_included, system)
    ):
        path, wanted = config_files.DROP_IN, {config_files.DROP_IN: policy, config: plain}
    else:
        # The vendor's own file is not ours to change; one beside it takes its place, and takes it
        # in.
        rest = plain if config == MAIN else "Include %s\n" % VENDORS
        path, wanted = (
            MAIN,
            {MAIN: password_policy.put_block(rest, policy), config_files.DROP_IN: None},
        )
    before = config_files.put_texts(system, wanted)
    try:
        fault = sshd.find_fault(system) if before else ""
        if fault:
            raise _faulty(path, fault)
    except ProvisioningError:
        config_files.put_texts(system, before)
        raise
    return path, before


def _faulty(path: str, fault: str) -> ProvisioningError:
    return ProvisioningError(
        "sshd finds fault with its configuration",
        path=path,
        said=fault,
        hint="it is as it was: mend it in the image, with the help of sshd -t",
    )


# -- what came of it
# --------------------------------------------------------------------------------------------------


def _check_force(system: System, admin: User, wished: bool, warnings: List[str]) -> None:
    """See whether what was ordered holds for the admin, and whether a Match block takes others out
    of it.
    """
    text = read_text_file(system, config_files.find_config(system) or MAIN) or ""
    contrary = password_policy.contrary_matches(
        text, wished, partial(config_files.list_included, system)
    )
    says = password_policy.read_effective(sshd.effective(system, admin.name))
    if says and not password_policy.in_force(says, wished):
        why = ", ".join("Match " + block for block in contrary) or "%s %s" % (
            password_policy.METHODS,
            " ".join(says.get(password_policy.METHODS, ["unknown"])),
        )
        if wished and not admin.ssh_keys:
            raise ProvisioningError(
                "password login is not in force",
                user=admin.name,
                why=why,
                hint=(
                    "take that out of sshd's configuration in the image, or give the VM an ssh key"
                ),
            )
        warnings.append(
            "sshd %s %s with a password all the same: %s"
            % ("does not let in" if wished else "lets in", admin.name, why)
        )
    elif contrary:
        warnings.append(
            "sshd's configuration says otherwise where these apply: %s"
            % ", ".join("Match " + block for block in contrary)
        )
