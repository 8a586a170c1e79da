"""The SSH host keys as a cloud-config wants them: those that it brings, and the types it names.

What cannot be used is told, and the host has its own key of that type: sshd never starts without
host keys.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.ssh import host_keys as formats
from lightinit.formats.ssh.host_keys import private_name
from lightinit.host.files.access import Access
from lightinit.host.ssh import host_keys
from lightinit.host.ssh.host_keys import FOLDER, GIVEN, KeyFormat, NewKeys
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.host_keys import openssh
from lightinit.host_keys.openssh import HostKeys
from lightinit.host_keys.taken import names_of, take

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKeys


def replace(
    system: System,
    server: SshServer,
    keys: HostKeys,
    given: GivenHostKeys,
    form: KeyFormat,
    access: Access,
) -> HostKeys:
    """Put the given keys in place, and those that are made here.

    Args:
        system: the live machine.
        server: its SSH server.
        keys: what is there.
        given: what the cloud-config says.
        form: tells which files are keys.
        access: mode and owner of the private keys.

    Returns:
        What has become of the keys.

    Raises:
        ProvisioningError: no key can be made, and none is given or stays; or they cannot be put in
            place.
    """
    try:
        taken = take(system, server, keys.keygen, given.keys)
        kept = [name for name in keys.kept if name not in taken.names]
        wanted, warnings = find_wanted(system, given, kept, keys.named)
        new, more = make_rest(system, keys.keygen, kept, taken.names, wanted, form)
        used: List[str] = []
        old: List[str] = []
        if not keys.kept:
            used = _list_used(system, keys, new.names, wanted is not None)
            old = [name for name in keys.there if private_name(name) not in used]
        host_keys.install_keys(system, new, access, old)
    finally:
        system.remove_tree(GIVEN)
    return keys._replace(
        kept=kept + used,
        made=new.names,
        given=taken.names,
        warnings=taken.warnings + warnings + more,
    )


def _list_used(system: System, keys: HostKeys, new: Sequence[str], is_narrowed: bool) -> List[str]:
    """The old private keys that stay, since sshd's configuration names them. If the host is to have
    certain types, they stay only if sshd would have no key at all.
    """
    if is_narrowed and any(openssh.is_named(system, name, keys.named) for name in new):
        return []
    private = [name for name in keys.there if formats.is_private_key_file(name)]
    return [
        name for name in private if name not in new and openssh.is_used(system, name, keys.named)
    ]


def find_wanted(
    system: System, given: GivenHostKeys, kept: Sequence[str], named: Sequence[str]
) -> Tuple[Optional[List[str]], List[str]]:
    """The names of the private keys that the host is to have, None for all; and warnings.

    Args:
        system: the live machine.
        given: what the cloud-config says.
        kept: the names of the image's private keys that stay.
        named: the files that sshd's configuration names.
    """
    if given.types is None:
        return None, []
    wanted = names_of(given.types)
    places = {_place(system, name): name for name in formats.MADE}
    real = [system.path(each) for each in named if each.startswith("/")]
    ours = {_place(system, name) for name in wanted + list(kept)}
    if not real or any(
        each in ours or each not in places and os.path.exists(each) for each in real
    ):
        return wanted, []
    more = [places[each] for each in real if each in places]
    if not more:
        return wanted, []
    text = "sshd's configuration names no key of the types asked for; the host has also: %s"
    return wanted + more, [text % ", ".join(more)]


def _place(system: System, name: str) -> str:
    return system.path("%s/%s" % (FOLDER, name))


def make_rest(
    system: System,
    keygen: str,
    kept: Sequence[str],
    taken: Sequence[str],
    wanted: Optional[Sequence[str]],
    form: KeyFormat,
) -> Tuple[NewKeys, List[str]]:
    """Make the keys that are wanted and not given, and bring the given ones to them.

    Args:
        system: the live machine.
        keygen: the path of ssh-keygen.
        kept: the names of the image's private keys that stay.
        taken: the names of the given ones, as :func:`take` found them.
        wanted: as :func:`find_wanted` found them.
        form: tells which files are keys.

    Returns:
        The new keys, the given ones among them; warnings.

    Raises:
        ProvisioningError: no key can be made, and none is given or stays.
    """
    warnings: List[str] = []
    unwanted = list(taken)
    missing: List[str] = []
    if wanted is not None:
        missing = [name for name in wanted if name not in taken and name not in kept]
        unwanted += [name for name in formats.MADE if name not in missing + unwanted]
    new = NewKeys([], GIVEN)
    if wanted is None or missing:
        new, warnings = _make(system, keygen, kept, taken, unwanted, form)
    else:
        host_keys.give_up_begun(system)
        system.make_durable(FOLDER)
    lacking = [name for name in missing if name not in new.names]
    if lacking and not warnings:
        warnings.append("ssh-keygen did not make %s" % ", ".join(lacking))
    if new.folder != GIVEN:
        for name in taken:
            for end in ("", ".pub", "-cert.pub"):
                _move(system, "%s/%s%s" % (GIVEN, name, end), "%s/%s%s" % (new.folder, name, end))
    return NewKeys(list(taken) + new.names, new.folder), warnings


def _make(
    system: System,
    keygen: str,
    kept: Sequence[str],
    taken: Sequence[str],
    unwanted: Sequence[str],
    form: KeyFormat,
) -> Tuple[NewKeys, List[str]]:
    try:
        new = host_keys.make_keys(system, keygen, kept, form, unwanted)
        return new, openssh.say_missing(new)
    except ProvisioningError as error:
        if taken or kept:
            system.make_durable(FOLDER)
            return NewKeys([], GIVEN), ["other SSH host keys could not be made: %s" % error]
        if not unwanted:
            raise
        new = host_keys.make_keys(system, keygen, kept, form)
        text = "the wanted SSH host keys could not be made, so all types are: %s"
        return new, [text % error, *openssh.say_missing(new)]


def _move(system: System, source: str, target: str) -> None:
    try:
        # A link may stand at the target, which kept ssh-keygen from making a key there.
        os.replace(system.path(source, follow_last=False), system.path(target, follow_last=False))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ProvisioningError(
            "ssh host key cannot be put in place", path=target, error=error.strerror
        ) from error
