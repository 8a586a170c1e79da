"""Switches password login over SSH on or off, as the platform orders.

The image's configuration stays. lightinit's lines go before it, because sshd uses the first of
several values. sshd checks the new configuration before it is put in place. If sshd rejects it,
nothing is changed.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords
from lightinit.formats.ssh import password_policy
from lightinit.formats.ssh.dropbear_options import read_started
from lightinit.formats.ssh.effective import Effective
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file
from lightinit.host.ssh import config_files
from lightinit.host.ssh.dropbear import read_option_texts
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import find_server, list_servers
from lightinit.host.system import System
from lightinit.login.answers import ask_beside, stop_asking_beside
from lightinit.login.asking import ask, find_fault, find_fault_in, read_config
from lightinit.model import Instance, Outcome, User
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.ssh_password_login")


MAIN = config_files.CONFIGS[0]
FAULTY = "sshd finds fault with its configuration"
_STATES = {True: "on", False: "off"}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Put the platform's policy for password login into sshd's configuration.

    Args:
        instance: its ``admin`` has the policy.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py; and ``logins``, if
            there is a cloud-config.

    Returns:
        The file that has the policy; a warning if something in sshd's configuration overrides it.

    Raises:
        ProvisioningError: sshd finds fault with its configuration, or nobody could log in.
    """
    stop_asking_beside(system)
    kept_login: Tuple[str, ...] = ()
    if settings.get("logins") is not None:
        from lightinit.accounts.given.logins import lay_over

        wish = lay_over(instance, settings["logins"])
        if wish is not None:
            instance, kept_login = instance._replace(admin=wish.admin), wish.kept_login
    outcome = _apply(instance, system, settings["policy"])
    return outcome._replace(warnings=(*outcome.warnings, *kept_login))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of accounts: ``logins``; and a policy, if it has one."""
    from lightinit.accounts.given.logins import read_logins

    logins = read_logins(values)
    if logins is None or logins.passwords.ssh_pwauth is None:
        return {"logins": logins}
    return {"logins": logins, "policy": "platform"}


def _apply(instance: Instance, system: System, policy: str) -> Outcome:
    if instance.admin is None:
        return Outcome("no admin account asked for", skipped=True)
    server, admin = find_server(system), instance.admin
    wished = passwords.login_wished(admin)
    if policy == "keep":
        kept: List[str] = []
        if wished:
            # Otherwise a VM would be Ready although nobody can log in.
            _check_force(system, server, admin, wished, kept)
        return Outcome("password login left as the image has it", tuple(kept), skipped=True)
    if wished is None:
        return Outcome("the platform does not say whether password login is allowed", skipped=True)
    if not server.can_be_configured(system):
        return _cannot_be_configured(system, wished)
    try:
        path, before = _put(system, server, admin, wished)
    except ProvisioningError as error:
        if error.reason == FAULTY:
            raise
        return _leave(system, server, admin, wished, error)
    warnings: List[str] = []
    if before:
        restore_labels(system, [each for each in before if system.exists(each)])
        why = server.reload(system, lambda: bool(_ask(system, server, admin)))
        if why:
            warnings.append("sshd uses the old policy until it is restarted: %s" % why)
    _check_force(system, server, admin, wished, warnings)
    state = _STATES[wished]
    if before:
        return Outcome("password login %s: put into %s" % (state, path), tuple(warnings))
    return Outcome("password login %s: was there already, in %s" % (state, path), tuple(warnings))


def foresee(instance: Instance, system: System, settings: ModuleSettings) -> None:
    """Begin to ask sshd what :func:`apply` will ask, beside the modules before it.

    Not if an account may change the answer, since that of the admin may not exist yet.
    """
    admin = instance.admin
    if admin is None or not system.live or settings["policy"] == "keep":
        return
    server = find_server(system)
    wished = passwords.login_wished(admin)
    if wished is None or not server.can_be_configured(system):
        return
    if read_config(system, server).is_for_all:
        ask_beside(system, partial(_find_policy, system, server, admin, wished))


def _cannot_be_configured(system: System, wished: bool) -> Outcome:
    texts = read_option_texts(system)
    flags = read_started(texts.units, texts.scripts, texts.files, texts.uci).flags
    notes = [note for each in list_servers(system) for note in each.password_notes(wished, flags)]
    if notes:
        return Outcome("no OpenSSH server", tuple(notes), skipped=True)
    return Outcome("no OpenSSH server, so no password login over SSH", skipped=True)


def _leave(
    system: System, server: SshServer, admin: User, wished: bool, error: ProvisioningError
) -> Outcome:
    """Handle a configuration that cannot be read or replaced: sshd itself says what is in force."""
    warnings: List[str] = []
    _check_force(system, server, admin, wished, warnings)
    effective = _ask(system, server, admin)
    if effective and password_policy.in_force(effective, wished) and not warnings:
        LOG.info("sshd's configuration stays as it is: %s", error)
        return Outcome("password login %s: sshd has it so already" % _STATES[wished])
    warnings.insert(0, "sshd's configuration stays as the image has it: %s" % error)
    return Outcome("password login left as the image has it", tuple(warnings))


# -- putting it in place
# --------------------------------------------------------------------------------------------------


def _ask(system: System, server: SshServer, admin: User) -> Effective:
    return ask(system, server, admin.name).effective


def _policies(system: System, server: SshServer, admin: User, wished: bool) -> List[str]:
    """The lines for the policy. The second version is for a sshd that rejects the first one."""
    if wished:
        return [password_policy.policy_text(True)]
    with_challenge, without = (password_policy.policy_text(False, each) for each in (True, False))
    effective = _ask(system, server, admin)
    if effective and password_policy.CHALLENGE not in effective:
        return [without]
    return [with_challenge, without]


def _find_policy(
    system: System, server: SshServer, admin: User, wished: bool
) -> Tuple[str, str, str]:
    """The configuration file, its text without lightinit's block, and the first policy that sshd
    accepts before it.

    Raises:
        ProvisioningError: sshd finds fault, or the file cannot be read.
    """
    policies = _policies(system, server, admin, wished)
    config = str(server.find_config(system))
    plain = password_policy.drop_block(read_text_file(system, config) or "")
    if not system.live:
        system.skip("sshd's own check of its configuration")
    fault = find_fault(system, server, admin.name)
    if fault:  # the image's configuration already had it
        raise config_files.faulty(config, fault)
    return config, plain, _choose(system, server, config, plain, policies)


def _put(
    system: System, server: SshServer, admin: User, wished: bool
) -> Tuple[str, Dict[str, Optional[str]]]:
    """Put the first policy that sshd accepts in place.

    Returns:
        The file that has it, and the old texts of the files that changed.
    """
    config, plain, policy = _find_policy(system, server, admin, wished)
    path, wanted = _place(system, config, plain, policy)
    return path, config_files.put_checked(
        system, wanted, path, lambda: find_fault(system, server, admin.name)
    )


def _choose(system: System, server: SshServer, config: str, plain: str, policies: List[str]) -> str:
    fault = ""
    for policy in policies:
        fault = find_fault_in(system, server, policy + plain)
        if not fault:
            return policy
    raise config_files.faulty(config, fault)


def _place(
    system: System, config: str, plain: str, policy: str
) -> Tuple[str, Dict[str, Optional[str]]]:
    """The file for the policy, and the new texts of all files (None: to be removed)."""
    list_included = partial(config_files.list_included, system)
    if password_policy.drop_in_counts(plain, config_files.DROP_IN, list_included):
        return config_files.DROP_IN, {config_files.DROP_IN: policy, config: plain}
    block = password_policy.put_block(config_files.main_text(config, plain), policy)
    return MAIN, {MAIN: block, config_files.DROP_IN: None}


# -- whether it is in force
# --------------------------------------------------------------------------------------------------


def _check_force(
    system: System, server: SshServer, admin: User, wished: bool, warnings: List[str]
) -> None:
    """Check that the policy is in force for the admin. Warn about Match blocks with another one."""
    text = system.read_text(server.find_config(system) or MAIN)
    contrary = [
        "Match " + block
        for block in password_policy.contrary_matches(
            text, wished, partial(config_files.list_included, system)
        )
    ]
    effective = _ask(system, server, admin)
    if not effective or password_policy.in_force(effective, wished):
        if contrary:
            warnings.append(
                "sshd's configuration has another policy for logins that these match: %s"
                % ", ".join(contrary)
            )
        return
    methods = effective.words(password_policy.METHODS, ["unknown"])
    why = ", ".join(contrary) or " ".join([password_policy.METHODS] + methods)
    if wished and not admin.ssh_keys:
        raise ProvisioningError(
            "password login is not in force",
            user=admin.name,
            why=why,
            hint="remove that from sshd's configuration in the image, or give the VM an ssh key",
        )
    verb = "refuses" if wished else "accepts"
    warnings.append("sshd still %s a password for %s: %s" % (verb, admin.name, why))
