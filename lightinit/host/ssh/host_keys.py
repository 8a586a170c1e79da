"""SSH host keys: made beside their place by ssh-keygen, put in place one by one, and sshd told
about them.

It knows no format; which names are host keys' the caller says.

What a crash leaves at any point lets sshd start: a private key is always whole, and is never
accompanied by another key's public part, which is removed before and comes after it.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
from functools import partial
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.tools import restore_labels
from lightinit.host.atomic import sync_dir
from lightinit.host.ssh import config_files
from lightinit.host.system import System

ReadHostKeys = Callable[[str, Callable[[str], Sequence[str]]], List[str]]

LOG = logging.getLogger("lightinit.host_keys")
FOLDER = "/etc/ssh"
SCRATCH = FOLDER + "/.lightinit-new"
# RSA takes long on a small VM, and an old kernel may have to gather randomness first.
KEYGEN_LIMIT_S = 120.0
SSHD_LIMIT_S = 10.0
PID_FILES = ("/run/sshd.pid", "/var/run/sshd.pid")
KEYSIGN = "/usr/libexec/openssh/ssh-keysign"


def list_host_keys(system: System, is_ours: Callable[[str], bool]) -> List[str]:
    """The names of the files and links in /etc/ssh that ``is_ours`` takes, sorted."""
    folder = system.path(FOLDER)
    return [
        name
        for name in system.list_dir(FOLDER)
        if is_ours(name)
        and (os.path.islink("%s/%s" % (folder, name)) or os.path.isfile("%s/%s" % (folder, name)))
    ]


def configured_keys(system: System, read: ReadHostKeys) -> List[str]:
    """The files that sshd is set to take its host keys from; none where it goes by its own list.

    Args:
        system: the machine.
        read: takes the text of sshd_config, and what gives the texts of the files that an Include
            pattern names.
    """
    path = config_files.find_config(system)
    return (
        read(system.read_text(path), partial(config_files.read_included, system))
        if path is not None
        else []
    )


def make_keys(
    system: System, keygen: str, keep: Sequence[str], is_private: Callable[[str], bool]
) -> List[str]:
    """Make a key of each type that `ssh-keygen -A` makes, in the scratch folder.

    Args:
        system: the live machine.
        keygen: where ssh-keygen is.
        keep: names of private keys in /etc/ssh for which none is made.
        is_private: whether a name is a private host key's.

    Returns:
        The names of the new private keys; they and their public parts are on the disk.

    Raises:
        ProvisioningError: ssh-keygen failed, or the scratch folder cannot be written.
    """
    system.remove_tree(SCRATCH)
    system.make_dir(SCRATCH, 0o700)
    inner = SCRATCH + FOLDER
    system.make_dir(inner, 0o700)
    for name in keep:
        system.link("%s/%s" % (inner, name), system.path("%s/%s" % (FOLDER, name)))
    ended = system.run([keygen, "-A", "-f", system.path(SCRATCH)], timeout_s=KEYGEN_LIMIT_S)
    folder = system.path(inner)
    # It goes on after a type that it could not make (FIPS mode allows few of them), and its exit
    # status does not tell.
    names = [
        name
        for name in system.list_dir(inner)
        if is_private(name)
        and not os.path.islink("%s/%s" % (folder, name))
        and os.path.getsize("%s/%s" % (folder, name))
        and os.path.isfile("%s/%s.pub" % (folder, name))
    ]
    if not ended.ok or not names and not keep:
        raise ProvisioningError(
            "ssh host keys could not be made",
            status=ended.returncode,
            said=ended.last_words,
            hint="run by hand: ssh-keygen -A",
        )
    LOG.debug("ssh-keygen said: %s", (ended.stdout + ended.stderr).strip())
    for name in names:
        for each in (name, name + ".pub"):
            with open("%s/%s" % (folder, each), "rb") as handle:
                os.fsync(handle.fileno())
    return names


def install_keys(
    system: System, names: Sequence[str], access: Tuple[int, int], old: Sequence[str]
) -> None:
    """Move new keys from the scratch folder to their place, and remove what is left of the old
    ones.

    Args:
        system: the live machine.
        names: as :func:`make_keys` gave them.
        access: mode and numeric group of the private keys.
        old: names of all files of the old keys, public parts and certificates included, that must
            go.

    Raises:
        ProvisioningError: a file could not be moved or removed.
    """
    source, target = system.path(SCRATCH + FOLDER), system.path(FOLDER)
    place = "%s/%s" % (FOLDER, names[0] if names else "")
    try:
        for name in names:
            place = "%s/%s" % (FOLDER, name)
            for end in ("-cert.pub", ".pub"):
                _unlink("%s/%s%s" % (target, name, end))
            sync_dir(target)
            for each, mode, gid in ((name, access[0], access[1]), (name + ".pub", 0o644, 0)):
                new = "%s/%s" % (source, each)
                os.chown(new, 0, gid)
                os.chmod(new, mode)
                os.replace(new, "%s/%s" % (target, each))
                sync_dir(target)
        for name in old:
            if name not in names and not (name.endswith(".pub") and name[:-4] in names):
                place = "%s/%s" % (FOLDER, name)
                _unlink("%s/%s" % (target, name))
        sync_dir(target)
    except OSError as error:
        raise ProvisioningError(
            "ssh host key cannot be put in place", path=place, error=error.strerror
        ) from error
    system.remove_tree(SCRATCH)
    restore_labels(system, [FOLDER])


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def private_access(system: System, old: Sequence[str], keys_gid: Optional[int]) -> Tuple[int, int]:
    """(mode, numeric group) for private host keys: 0600 and root's, as sshd demands everywhere, or
    what the host has.

    Some hosts let the group ``ssh_keys`` read them, for their ssh-keysign, which has that group in
    place of root.

    Args:
        system: the live machine.
        old: names of the old private keys.
        keys_gid: the id of the group ``ssh_keys``, None where there is none.
    """
    if keys_gid is None:
        return 0o600, 0
    for name in old:
        status = os.lstat(system.path("%s/%s" % (FOLDER, name), follow_last=False))
        if stat.S_ISREG(status.st_mode):
            given = status.st_gid == keys_gid and stat.S_IMODE(status.st_mode) == 0o640
            return (0o640, keys_gid) if given else (0o600, 0)
    try:
        status = os.stat(system.path(KEYSIGN))
    except OSError:
        return 0o600, 0
    given = status.st_gid == keys_gid and bool(status.st_mode & stat.S_ISGID)
    return (0o640, keys_gid) if given else (0o600, 0)


def reload_sshd(system: System) -> str:
    """Let a sshd that runs already read its configuration and its keys anew. Connections stay.

    Returns:
        "" when it was told or when none runs; else why it was not told.
    """
    pid = next(
        (text for text in (system.read_text(name).strip() for name in PID_FILES) if text.isdigit()),
        "",
    )
    if not pid or system.read_text("/proc/%s/comm" % pid).strip() != "sshd":
        return ""
    sshd = system.tool("sshd")
    if sshd is not None:
        try:
            ended = system.run([sshd, "-t"], timeout_s=SSHD_LIMIT_S)
        except ProvisioningError as error:
            return str(error)
        if not ended.ok:
            # sshd would end, not reload.
            return "sshd finds fault with its configuration: %s" % ended.last_words
    try:
        os.kill(int(pid), signal.SIGHUP)
    except OSError as error:
        return error.strerror or str(error)
    LOG.info("sshd (process %s) was told to read its configuration and its host keys anew", pid)
    return ""
