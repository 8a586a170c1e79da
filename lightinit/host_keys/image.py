"""The host keys of the image, where they stay: every VM of the image may have the same."""

from __future__ import annotations

from typing import List, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import list_servers
from lightinit.host.system import System
from lightinit.model import Outcome


def find_others(system: System) -> List[str]:
    """A warning for each other SSH server here that has host keys: they are the image's."""
    return [
        "the host keys of %s are those of the image (%s), so every VM of it may have the same: %s"
        % (server.name, ", ".join(paths), server.host_key_remedy())
        for server, paths in (
            (each, each.foreign_host_keys(system)) for each in list_servers(system)
        )
        if paths
    ]


def leave_images(private: Sequence[str], others: Sequence[str]) -> Outcome:
    """The outcome if no program can make keys: a warning if the image has keys.

    Args:
        private: the names of the image's private keys.
        others: warnings about other servers.
    """
    if not private:
        return Outcome("no OpenSSH server, so no SSH host keys", tuple(others), skipped=True)
    return Outcome(
        "SSH host keys left as they are",
        (
            "the SSH host keys are those of the image (%s), so every VM of it may have the same: no"
            " ssh-keygen was found in the usual folders, in the system's profile, or beside the"
            " sshd that a service names; make new keys with ssh-keygen -A" % ", ".join(private),
        )
        + tuple(others),
    )


def does_without(
    system: System, server: SshServer, private: Sequence[str], error: ProvisioningError
) -> bool:
    """Whether sshd works with the image's keys, and a later boot could do no better. Space that is
    lacking may be freed, and then the next boot makes the keys.
    """
    from lightinit.host.ssh.missing_keys import lacks_space

    if not private or lacks_space(str(error)):
        return False
    from lightinit.login.asking import ask

    return bool(ask(system, server, "root").effective)


def keep_images(private: Sequence[str], others: Sequence[str], error: ProvisioningError) -> Outcome:
    """The outcome if the image's keys stay, since no new ones could be made.

    Args:
        private: the names of the image's private keys.
        others: warnings about other servers.
        error: why none could be made.
    """
    text = (
        "the SSH host keys are those of the image (%s), so every VM of it may have the same: new"
        " ones could not be made: %s; make them with ssh-keygen -A"
    )
    return Outcome(
        "SSH host keys left as they are", (text % (", ".join(private), error),) + tuple(others)
    )
