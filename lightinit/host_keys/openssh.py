"""OpenSSH's host keys: ssh-keygen makes those of `ssh-keygen -A`, and they replace the image's."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, List, Optional, Sequence

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.ssh.host_keys import (
    describe_new,
    fingerprint,
    is_host_key_file,
    is_private_key_file,
    is_public,
    private_name,
    with_comment,
)
from lightinit.host.ssh import config_files, host_keys
from lightinit.host.ssh.host_keys import NewKeys
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.model import NamedTuple, Outcome
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKeys

# This file is imported before the wait for the network, since that is when keys are begun. So the
# functions that :func:`begin` does not need import what they need.

LOG = logging.getLogger("lightinit.ssh_host_keys")
SSHD = "sshd"


class HostKeys(NamedTuple):
    """The host keys of OpenSSH in /etc/ssh, by the names of their files.

    Attributes:
        keygen: the path of ssh-keygen.
        there: the image's, with public parts and certificates.
        kept: the private keys of the image that stay.
        named: the files that sshd's configuration names.
        made: the new private keys, the given ones among them.
        given: those of a cloud-config.
        warnings: what the operator should know of them.
    """

    keygen: str
    there: Sequence[str]
    kept: Sequence[str]
    named: Sequence[str]
    made: Sequence[str] = ()
    given: Sequence[str] = ()
    warnings: Sequence[str] = ()


def begin(system: System, keep: bool) -> None:
    """Begin to make the keys that :func:`renew` puts in place.

    Args:
        system: the live machine.
        keep: whether the image's keys stay.

    Raises:
        ProvisioningError: ssh-keygen is missing or cannot be started.
        OSError: the scratch folder cannot be written.
    """
    private = [name for name in _list_there(system) if is_private_key_file(name)]
    keygen = _find_keygen(system, find_server(system), private)
    if keygen is not None and system.is_dir(host_keys.FOLDER):
        host_keys.begin_keys(system, keygen, _list_kept(system, private, keep))


def _list_there(system: System) -> List[str]:
    return host_keys.list_host_keys(system, is_host_key_file)


def _list_kept(system: System, private: Sequence[str], keep: bool) -> List[str]:
    return [name for name in private if keep and _has_content(system, name)]


def renew(system: System, settings: ModuleSettings, user: str) -> Outcome:
    """Replace OpenSSH's host keys.

    Args:
        system: the live machine.
        settings: those of the module.
        user: the account that sshd is asked about, as others will ask.

    Returns:
        How many keys were made, given and kept, and warnings.

    Raises:
        ProvisioningError: as the module's ``apply``.
    """
    from lightinit.host_keys.image import does_without, find_others, keep_images, leave_images

    server = find_server(system)
    there = _list_there(system)
    private = [name for name in there if is_private_key_file(name)]
    keygen = _find_keygen(system, server, private)
    others = find_others(system)
    if keygen is None:
        return leave_images(private, others)
    named = _find_named(system, server)
    kept = _list_kept(system, private, bool(settings["keep_existing"]))
    given = settings.get("given")
    try:
        keys = _replace(system, server, HostKeys(keygen, there, kept, named), given)
    except ProvisioningError as error:
        if not does_without(system, server, private, error):
            raise
        return keep_images(private, others, error)
    for name in [*keys.kept, *keys.made]:
        _show(system, name, given)
    config = str(server.find_config(system))
    _check_one_is_there(system, config, named)
    warnings = list(keys.warnings)
    if given is None or given.types is None:
        warnings += _check_config(system, config, named, kept + list(keys.made))
    if given is not None or system.exists(config_files.HOST_KEYS):
        from lightinit.host_keys.serving import serve

        warnings += serve(system, server, user, given, [*keys.kept, *keys.made])
    if keys.made:
        warnings += _reload(system, server, user)
    return Outcome(_message(keys), tuple(warnings + others))


def _find_named(system: System, server: SshServer) -> List[str]:
    """The host key files that sshd's configuration names. sshd says it if the text of its
    configuration cannot be read.
    """
    config = server.find_config(system)
    try:
        system.read(config or config_files.CONFIGS[0])
    except FileNotFoundError:
        pass
    except (OSError, MalformedError):
        from lightinit.login.asking import ask

        return ask(system, server, "root").effective.values("hostkey")
    from lightinit.formats.ssh.sshd_config import read_host_keys

    return host_keys.configured_keys(system, read_host_keys)


def _replace(
    system: System, server: SshServer, keys: HostKeys, given: Optional[GivenHostKeys]
) -> HostKeys:
    """Make the keys and put them in place. Returns what has become of them."""
    from lightinit.formats.accounts.passwd import find_group
    from lightinit.host.accounts.files import read_account_file

    there, named = keys.there, keys.named
    private = [name for name in there if is_private_key_file(name)]
    comment = "root@%s" % os.uname().nodename  # as ssh-keygen writes it
    form = host_keys.KeyFormat(
        is_private_key_file, is_public, partial(with_comment, comment=comment)
    )
    keys_gid = find_group(read_account_file(system, "/etc/group"), "ssh_keys")
    access = host_keys.private_access(system, private, keys_gid)
    if given is not None:
        from lightinit.host_keys.given import replace

        return replace(system, server, keys, given, form, access)
    new_keys = host_keys.make_keys(system, keys.keygen, keys.kept, form)
    made = new_keys.names
    new = list(made) + list(keys.kept)
    used = [name for name in private if name not in new and is_used(system, name, named)]
    old: List[str] = []
    if not keys.kept:
        old = [name for name in there if private_name(name) not in used]
    host_keys.install_keys(system, new_keys, access, old)
    warnings = say_missing(new_keys)
    return keys._replace(made=made, kept=list(keys.kept) + used, warnings=warnings)


def say_missing(new: NewKeys) -> List[str]:
    """A warning if not all types of keys could be made."""
    if not new.failure:
        return []
    text = "ssh-keygen made only %s: %s; for the other types run: ssh-keygen -A"
    return [text % (", ".join(new.names), new.failure)]


def _reload(system: System, server: SshServer, user: str) -> List[str]:
    def is_sound() -> bool:
        from lightinit.login import asking

        return bool(asking.ask(system, server, user).effective)

    why = server.reload(system, is_sound)
    if why:
        return ["sshd uses the old host keys until it is restarted: %s" % why]
    return []


def _message(keys: HostKeys) -> str:
    return describe_new(
        "%d SSH host keys made",
        "%d SSH host keys of the cloud-config put in place",
        len(keys.made) - len(keys.given),
        len(keys.given),
        len(keys.kept),
    )


def _find_keygen(system: System, server: SshServer, private: Sequence[str]) -> Optional[str]:
    """The program that makes the server's host keys. None if it is missing and not needed.

    Args:
        private: the names of the existing private keys.
    """
    if not server.keygen:
        return None
    keygen = system.tool(server.keygen)
    program = system.tool(server.name)
    if keygen is None and program is not None and not private:
        raise ProvisioningError(
            "ssh-keygen is missing",
            sshd=program,
            hint="install OpenSSH's client in the image, or remove ssh_host_keys from `modules =`",
        )
    return keygen


def _has_content(system: System, name: str) -> bool:
    # A power cut may have left an empty file.
    try:
        return os.path.getsize(system.path("%s/%s" % (host_keys.FOLDER, name))) > 0
    except OSError:
        return False


def is_used(system: System, name: str, named: Sequence[str]) -> bool:
    """Whether sshd_config names this old key. If no new key replaces it, it stays, since sshd may
    have no other.
    """
    return _has_content(system, name) and is_named(system, name, named)


def _show(system: System, name: str, given: Optional[GivenHostKeys]) -> None:
    path = "%s/%s.pub" % (host_keys.FOLDER, name)
    try:
        shown = fingerprint(system.read(path))
    except (OSError, MalformedError) as error:
        LOG.info("SSH host key %s: its public part cannot be read: %s", path, error)
        return
    if given is None or given.shows(shown.split()[0]):
        LOG.info("SSH host key %s", shown)


def is_named(system: System, name: str, named: Sequence[str]) -> bool:
    """Whether a private key is among the files that sshd's configuration names."""
    # If an ssh-agent has the private keys, sshd_config may name the public part.
    path = system.path("%s/%s" % (host_keys.FOLDER, name))
    return any(
        each.startswith("/") and system.path(each) in (path, path + ".pub") for each in named
    )


def _check_one_is_there(system: System, config: str, named: Sequence[str]) -> None:
    """Check that at least one of the keys that sshd_config names exists: otherwise sshd does not
    start. A relative path is not checked, since only sshd knows what it means.
    """
    if named and not any(not each.startswith("/") or system.exists(each) for each in named):
        raise ProvisioningError(
            "sshd has no host key",
            config=config,
            files=" ".join(named),
            hint="remove the HostKey lines, so that sshd uses the keys that lightinit makes; or put"
            " these files into the image",
        )


def _check_config(
    system: System, config: str, named: Sequence[str], names: Sequence[str]
) -> List[str]:
    """A warning if sshd_config names other keys, which may be the same in every VM of the image."""
    ours = {system.path("%s/%s" % (host_keys.FOLDER, name)) for name in names}
    ours |= {each + ".pub" for each in ours}
    others = []
    for each in named:
        if each.startswith("/") and system.path(each) not in ours:
            state = "not made anew" if system.exists(each) else "missing"
            others.append("%s (%s)" % (each, state))
    if not others:
        return []
    return ["%s names host keys that lightinit does not make: %s" % (config, ", ".join(others))]
