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
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.files.access import Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh import config_files, early
from lightinit.host.system import System
from lightinit.model import NamedTuple

ReadHostKeys = Callable[[str, Callable[[str], Sequence[str]]], List[str]]

LOG = logging.getLogger("lightinit.host_keys")
FOLDER = "/etc/ssh"
SCRATCH = early.SCRATCHES[0]
# Where the keys of a cloud-config are checked.
GIVEN = "/etc/ssh/.lightinit-given"
# Below a folder for new keys, the folder for the types that have no program of their own.
REST = "/rest"
# The types that are begun each by a program of its own. Another one makes all others.
ALONE = ("rsa", "ecdsa")
SUBJECT, OTHERS = "ssh-keygen", "the other SSH host keys"
# An RSA key takes long on a small VM, and an old kernel may have to collect entropy first.
KEYGEN_LIMIT_S = 120.0
KEYSIGN = "/usr/libexec/openssh/ssh-keysign"
ROOTS_KEY = Access(0o600)
PUBLIC_KEY = Access(0o644)


class KeyFormat(NamedTuple):
    """What the caller knows of the files of host keys.

    Attributes:
        is_private: takes a file name; returns whether it is that of a private host key.
        is_public: takes the content of a .pub file; returns whether it is a public key.
        with_comment: takes a public part that was made early, when the host may have had another
            name; returns it with its comment as of now.
    """

    is_private: Callable[[str], bool]
    is_public: Callable[[bytes], bool]
    with_comment: Callable[[bytes], bytes]


class NewKeys(NamedTuple):
    """Host keys that were made, but are not in place.

    Attributes:
        names: the names of the private keys.
        folder: the folder of the keys and their public parts, as the VM sees it.
        failure: why not all types were made; "" if they were.
    """

    names: List[str]
    folder: str
    failure: str = ""


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


def begin_keys(system: System, keygen: str, keep: Sequence[str]) -> None:
    """Begin to make the keys of :func:`make_keys`, which waits for them: one program for each type.

    Args:
        system: the live machine.
        keygen: the path of ssh-keygen.
        keep: names of private keys in /etc/ssh that stay.

    Raises:
        ProvisioningError: a program cannot be started, or the scratch folder cannot be written.
        OSError: likewise.
    """
    root = early.make_first_folder(system, SUBJECT, SCRATCH)
    inner, rest = root + FOLDER, root + REST + FOLDER
    for folder in (inner, rest):
        early.make_inner(system, folder)
    alone = {"ssh_host_%s_key" % kind: kind for kind in ALONE}
    for name, kind in alone.items():
        if name not in keep:
            path = system.path("%s/%s" % (inner, name))
            early.begin(system, name, [keygen, "-q", "-t", kind, "-N", "", "-f", path])
    for name in set(alone) | set(keep):
        # ssh-keygen makes no key where a file is that is not empty.
        os.symlink(keygen, system.path("%s/%s" % (rest, name), follow_last=False))
    early.begin(system, OTHERS, [keygen, "-A", "-f", system.path(root + REST)])


def make_keys(
    system: System,
    keygen: str,
    keep: Sequence[str],
    form: KeyFormat,
    unwanted: Sequence[str] = (),
) -> NewKeys:
    """Make a key of each type that `ssh-keygen -A` knows, in the scratch folder.

    Keys that were begun by :func:`begin_keys` are waited for. If one of them was not made,
    `ssh-keygen -A` makes it now. If not all types can be made, those that were will do.

    Args:
        system: the live machine.
        keygen: the path of ssh-keygen.
        keep: names of private keys in /etc/ssh that stay. No new keys are made for them.
        form: tells which files are keys.
        unwanted: names of private keys that are not made.

    Returns:
        The new keys. They and their public parts are synced to the disk.

    Raises:
        ProvisioningError: ssh-keygen failed, or the scratch folder cannot be written.
    """
    root, is_complete = _take_begun(system, keep, form, unwanted)
    if not root:
        root = early.make_folder(system, SCRATCH)
        early.make_inner(system, root + FOLDER)
    for name in keep:
        system.link("%s%s/%s" % (root, FOLDER, name), system.path("%s/%s" % (FOLDER, name)))
    made = partial(_list_whole, system, root + FOLDER, form)
    ended = Completed(0, "", "")
    if not is_complete:
        from lightinit.host.ssh.missing_keys import make_missing

        ended = make_missing(system, keygen, root, set(unwanted) - set(keep), made)
    # If ssh-keygen cannot make a type (FIPS mode allows only some), it continues with the next one,
    # and its exit status does not show this.
    names = made()
    if not names and not (keep and ended.ok):
        raise not_made(ended)
    _make_durable(system, root + FOLDER, names)
    return NewKeys(names, root + FOLDER, "" if ended.ok else ended.last_words)


def not_made(ended: Completed) -> ProvisioningError:
    """The error for a program that has ended without a key."""
    return ProvisioningError(
        "ssh host keys could not be made",
        status=ended.returncode,
        said=ended.last_words,
        hint="run by hand: ssh-keygen -A",
    )


def _make_durable(system: System, folder: str, names: Sequence[str]) -> None:
    """Write the keys to the disk, before they replace the image's."""
    for name in names:
        for each in (name, name + ".pub"):
            path = "%s/%s" % (folder, each)
            with open(system.path(path), "rb") as handle:
                system.durability.file(handle.fileno(), path, waits=True)
    system.make_durable(FOLDER)


def give_up_begun(system: System) -> None:
    """Kill the programs that :func:`begin_keys` has started: no key of theirs is wanted."""
    for name in ["ssh_host_%s_key" % kind for kind in ALONE] + [OTHERS]:
        early.give_up(system, name)


def _take_begun(
    system: System, keep: Sequence[str], form: KeyFormat, unwanted: Sequence[str]
) -> Tuple[str, bool]:
    """Wait for the keys that were begun.

    Returns:
        The scratch folder that has them, "" if there is none; and whether they are all that is
        needed.
    """
    for name in unwanted:
        early.give_up(system, name)
    names = ["ssh_host_%s_key" % kind for kind in ALONE] + [OTHERS]
    found = {name: early.wait_for(system, name, KEYGEN_LIMIT_S) for name in names}
    if found[OTHERS] is None:
        return "", False
    failed = []
    for name, result in found.items():
        if result is not None and result.failure:
            failed.append(name)
            LOG.info("%s: begun early, but: %s; ssh-keygen -A makes it now", name, result.failure)
    root = early.find_folder(system, SUBJECT)
    try:
        return root, _collect(system, root, failed, keep, form, unwanted)
    except OSError as error:
        LOG.info("the host keys that were begun early cannot be used: %s", error)
        return "", False


def _collect(
    system: System,
    root: str,
    failed: Sequence[str],
    keep: Sequence[str],
    form: KeyFormat,
    unwanted: Sequence[str],
) -> bool:
    """Bring the keys together, and remove those that are not whole or not wanted."""
    inner, rest = system.path(root + FOLDER), system.path(root + REST + FOLDER)
    made_elsewhere = {name for name in os.listdir(rest) if os.path.islink("%s/%s" % (rest, name))}
    if OTHERS not in failed:
        for name in set(os.listdir(rest)) - made_elsewhere:
            os.replace("%s/%s" % (rest, name), "%s/%s" % (inner, name))
    for name in os.listdir(inner):
        if name in unwanted or name.endswith(".pub") and name[:-4] in unwanted:
            os.unlink("%s/%s" % (inner, name))
    whole = set(_list_whole(system, root + FOLDER, form)) - set(failed) - set(keep)
    there = os.listdir(inner)
    spoiled = [each for each in there if form.is_private(each) and each not in whole | set(failed)]
    if spoiled:
        LOG.info("%s: begun early, but no key came; ssh-keygen -A makes it now", ", ".join(spoiled))
    for name in there:
        if name not in whole and not (name.endswith(".pub") and name[:-4] in whole):
            os.unlink("%s/%s" % (inner, name))
    for name in whole:
        path = "%s/%s.pub" % (inner, name)
        with open(path, "rb") as handle:
            public = handle.read()
        with open(path, "wb") as handle:
            handle.write(form.with_comment(public))
    return (
        OTHERS not in failed and not spoiled and made_elsewhere <= whole | set(keep) | set(unwanted)
    )


def _list_whole(system: System, folder: str, form: KeyFormat) -> List[str]:
    """The names of the private keys that were made in a folder, and have their public parts."""
    real = system.path(folder)
    return [
        name
        for name in system.list_dir(folder)
        if form.is_private(name) and _is_whole("%s/%s" % (real, name), form)
    ]


def _is_whole(path: str, form: KeyFormat) -> bool:
    """Whether a private key and its public part were made here."""
    if os.path.islink(path) or not os.path.getsize(path) or not os.path.isfile(path + ".pub"):
        return False
    with open(path + ".pub", "rb") as handle:
        return form.is_public(handle.read())


def install_keys(system: System, new: NewKeys, access: Access, old: Sequence[str]) -> None:
    """Move new keys from the scratch folder to /etc/ssh, and remove the rest of the old ones.

    Args:
        system: the live machine.
        new: the result of :func:`make_keys`.
        access: mode and owner of the private keys.
        old: names of the files to remove, with public parts and certificates.

    Raises:
        ProvisioningError: a file cannot be moved or removed.
    """
    source, target, names = system.path(new.folder), system.path(FOLDER), new.names
    place = "%s/%s" % (FOLDER, names[0] if names else "")
    try:
        for name in names:
            place = "%s/%s" % (FOLDER, name)
            for end in ("-cert.pub", ".pub"):
                _unlink("%s/%s%s" % (target, name, end))
            system.durability.folder(target)
            certificate = name + "-cert.pub"
            for each, wished in (
                (name, access),
                (name + ".pub", PUBLIC_KEY),
                (certificate, PUBLIC_KEY),
            ):
                made = "%s/%s" % (source, each)
                if each == certificate and not os.path.exists(made):
                    continue
                os.chown(made, wished.uid, wished.gid)
                os.chmod(made, wished.mode)
                os.replace(made, "%s/%s" % (target, each))
                system.durability.folder(target)
        for name in old:
            if not any(name in (each, each + ".pub", each + "-cert.pub") for each in names):
                place = "%s/%s" % (FOLDER, name)
                _unlink("%s/%s" % (target, name))
        system.durability.folder(target)
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
