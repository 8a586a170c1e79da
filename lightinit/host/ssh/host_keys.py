"""Makes OpenSSH's host keys: ssh-keygen makes them in a scratch folder, then they are moved.

It knows no format. The caller says which file names are those of host keys.

After a crash at any point sshd can start. A private key is always complete, and the public part
beside it is never that of another key: the old public part is removed before the private key is
replaced, and the new one is moved after it.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import partial
from typing import Callable, List, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.atomic import sync_dir
from lightinit.host.files.access import Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh import config_files
from lightinit.host.system import System

ReadHostKeys = Callable[[str, Callable[[str], Sequence[str]]], List[str]]

LOG = logging.getLogger("lightinit.host_keys")
FOLDER = "/etc/ssh"
SCRATCH = FOLDER + "/.lightinit-new"
# An RSA key takes long on a small VM, and an old kernel may have to collect entropy first.
KEYGEN_LIMIT_S = 120.0
KEYSIGN = "/usr/libexec/openssh/ssh-keysign"
ROOTS_KEY = Access(0o600)
PUBLIC_KEY = Access(0o644)


def list_host_keys(system: System, is_ours: Callable[[str], bool]) -> List[str]:
    """The names of the files and links in /etc/ssh that ``is_ours`` accepts, sorted."""
    folder = system.path(FOLDER)
    names = []
    for name in system.list_dir(FOLDER):
        path = "%s/%s" % (folder, name)
        if is_ours(name) and (os.path.islink(path) or os.path.isfile(path)):
            names.append(name)
    return names


def configured_keys(system: System, read: ReadHostKeys) -> List[str]:
    """The host key files that sshd_config names; empty if sshd uses its default list.

    Args:
        system: the machine.
        read: takes the text of sshd_config, and a function from an Include pattern to the texts of
            its files; returns the host key files.
    """
    path = config_files.find_config(system)
    if path is None:
        return []
    return read(system.read_text(path), partial(config_files.read_included, system))


def make_keys(
    system: System, keygen: str, keep: Sequence[str], is_private: Callable[[str], bool]
) -> List[str]:
    """Make a key of each type that `ssh-keygen -A` knows, in the scratch folder.

    Args:
        system: the live machine.
        keygen: the path of ssh-keygen.
        keep: names of private keys in /etc/ssh that stay. No new keys are made for them.
        is_private: takes a file name; returns whether it is that of a private host key.

    Returns:
        The names of the new private keys. They and their public parts are synced to the disk.

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
    # If ssh-keygen cannot make a type (FIPS mode allows only some), it continues with the next one,
    # and its exit status does not show this.
    names = [
        name
        for name in system.list_dir(inner)
        if is_private(name) and _is_whole("%s/%s" % (folder, name))
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


def _is_whole(path: str) -> bool:
    """Whether a private key and its public part were made here."""
    return not os.path.islink(path) and os.path.getsize(path) > 0 and os.path.isfile(path + ".pub")


def install_keys(system: System, names: Sequence[str], access: Access, old: Sequence[str]) -> None:
    """Move new keys from the scratch folder to /etc/ssh, and remove the rest of the old ones.

    Args:
        system: the live machine.
        names: the result of :func:`make_keys`.
        access: mode and owner of the private keys.
        old: names of the files to remove, with public parts and certificates.

    Raises:
        ProvisioningError: a file cannot be moved or removed.
    """
    source, target = system.path(SCRATCH + FOLDER), system.path(FOLDER)
    place = "%s/%s" % (FOLDER, names[0] if names else "")
    try:
        for name in names:
            place = "%s/%s" % (FOLDER, name)
            for end in ("-cert.pub", ".pub"):
                _unlink("%s/%s%s" % (target, name, end))
            sync_dir(target)
            for each, wished in ((name, access), (name + ".pub", PUBLIC_KEY)):
                new = "%s/%s" % (source, each)
                os.chown(new, wished.uid, wished.gid)
                os.chmod(new, wished.mode)
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


def private_access(system: System, old: Sequence[str], keys_gid: Optional[int]) -> Access:
    """Mode and owner of private host keys: normally root and 0600, which every sshd accepts.

    On some hosts the group ``ssh_keys`` may read the keys, since ssh-keysign runs with that group
    instead of root's rights. If the old keys have this group, or if there are no old keys and
    ssh-keysign has it, the new keys get this group and 0640.

    Args:
        system: the live machine.
        old: names of the old private keys.
        keys_gid: the id of the group ``ssh_keys``, None if there is no such group.
    """
    if keys_gid is None:
        return ROOTS_KEY
    given = Access(0o640, 0, keys_gid)
    for name in old:
        status = os.lstat(system.path("%s/%s" % (FOLDER, name), follow_last=False))
        if stat.S_ISREG(status.st_mode):
            if (stat.S_IMODE(status.st_mode), status.st_gid) == (given.mode, given.gid):
                return given
            return ROOTS_KEY
    try:
        status = os.stat(system.path(KEYSIGN))
    except OSError:
        return ROOTS_KEY
    if status.st_gid == keys_gid and status.st_mode & stat.S_ISGID:
        return given
    return ROOTS_KEY
