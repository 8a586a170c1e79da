"""Puts keys of a cloud-config into the files of other accounts than the platform's admin."""

from __future__ import annotations

from functools import partial
from typing import List, Sequence, Tuple

from lightinit.accounts.authorized_keys import Merge, put_keys
from lightinit.accounts.given.logins import ROOT, GivenLogins, find_roles
from lightinit.errors import ProvisioningError
from lightinit.formats.certificates import x509
from lightinit.formats.cloud_config.readers.users import GivenAccounts, GivenUser
from lightinit.formats.ssh import authorized_keys
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.host.ssh.servers import find_answering
from lightinit.host.system import System
from lightinit.login import key_files
from lightinit.login.admin import find_account, find_who
from lightinit.login.asking import ask
from lightinit.model import Instance, NamedTuple, SshKey

# What a client sees that logs in as NAME; its connection is of no other use.
OTHER_NAME = (
    "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,"
    'command="echo \'Please login as the user \\"$USER\\" rather than the user'
    ' \\"$DISABLE_USER\\".\';echo;sleep 10;exit 142"'
)


class KeysOf(NamedTuple):
    """The keys of one account.

    Attributes:
        name: the account.
        keys: as they were given.
        options: put before each key; the keys then open nothing. "" for none.
    """

    name: str
    keys: Tuple[SshKey, ...]
    options: str = ""


def put_given_keys(
    system: System, instance: Instance, logins: GivenLogins, warnings: List[str]
) -> List[str]:
    """Put the keys of all accounts but the admin's in place. A failure is a warning.

    Returns:
        What was done, in words.
    """
    done = []
    for each in list_given_keys(instance, logins.accounts):
        try:
            message = _put(system, instance, each, warnings)
        except ProvisioningError as error:
            warnings.append("keys of %s: %s" % (each.name, error))
            continue
        if message:
            done.append(message)
    return done


def list_given_keys(instance: Instance, accounts: GivenAccounts) -> List[KeysOf]:
    """The keys of each account besides the admin's."""
    admin = getattr(instance.admin, "name", "")
    roles = find_roles(accounts, admin)
    of_platform: Tuple[SshKey, ...] = getattr(instance.admin, "ssh_keys", instance.public_keys)
    of_default = _as_keys(accounts.ssh_authorized_keys)
    if accounts.allow_public_ssh_keys:
        of_default = of_platform + of_default
    default = getattr(roles.default, "name", admin)
    found = []
    for user in roles.besides_admin:
        keys = _as_keys(user.ssh_authorized_keys)
        if roles.default is not None and user is roles.default:
            keys = of_default + keys
        if user.ssh_redirect_user:
            found.append(KeysOf(user.name, of_platform, _redirect(OTHER_NAME, default, user)))
        elif keys:
            found.append(KeysOf(user.name, keys))
    if accounts.disable_root is not None and of_default and default != ROOT:
        options = ""
        if accounts.disable_root:
            options = _redirect(accounts.disable_root_opts or OTHER_NAME, default, GivenUser(ROOT))
        found.append(KeysOf(ROOT, of_default, options))
    return found


def _redirect(options: str, default: str, user: GivenUser) -> str:
    return options.replace("$USER", default or "NONE").replace("$DISABLE_USER", user.name)


def _as_keys(texts: Sequence[str]) -> Tuple[SshKey, ...]:
    return tuple(SshKey(text) for text in texts)


def _put(system: System, instance: Instance, each: KeysOf, warnings: List[str]) -> str:
    account = find_account(system, each.name)
    if account is None:
        warnings.append("keys of %s are left out: there is no such account" % each.name)
        return ""
    keys, remarks = read_given_keys(each.keys, instance.certificates, x509.public_key_line)
    warnings += ["%s: %s" % (each.name, remark) for remark in remarks]
    if not keys:
        return ""
    server = find_answering(system)
    effective = ask(system, server, each.name).effective
    found = key_files.list_entries(system, server, find_who(system, account), effective)
    own, _ = key_files.split_shared(system, server, account, found.entries)
    if not own:
        warnings.append(
            "keys of %s are left out: sshd reads no file that is this account's alone; look at"
            " AuthorizedKeysFile in sshd_config" % each.name
        )
        return ""
    merge: Merge = authorized_keys.merge
    if each.options:
        merge = partial(authorized_keys.restrict, options=each.options.encode("utf-8", "replace"))
    message, more = put_keys(system, account, own, keys, merge)
    warnings += more
    return message
