"""Makes SSH host keys for the instance before sshd starts, and logs their fingerprints.

Otherwise all VMs of one image would have the same keys, and one VM could pose as another. The keys
are those of `ssh-keygen -A` and of dropbearkey, made once per instance. The init system starts sshd
and dropbear after lightinit.
"""

from __future__ import annotations

import errno
import logging
import os
from functools import partial
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.ssh.host_keys import (
    fingerprint,
    is_host_key_file,
    is_private_key_file,
    is_public,
    private_name,
    with_comment,
)
from lightinit.host.ssh import config_files, host_keys
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import find_server, list_servers
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

# This file is imported before the wait for the network, since that is when keys are begun. So the
# functions that :func:`begin` does not need import what they need.

LOG = logging.getLogger("lightinit.ssh_host_keys")

DROPBEAR = "dropbear"

NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Replace the SSH host keys.

    Args:
        instance: every instance gets its own keys. If sshd runs already, it is asked about this
            one's admin.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        How many keys were made and kept; a warning for each other key that sshd_config names.

    Raises:
        ProvisioningError: the keys cannot be made or put in place; /etc/ssh then has old keys or
            complete new ones. Or sshd_config names only keys that do not exist.
    """
    if not system.live:
        system.skip("SSH host keys")
        return Outcome(
            "SSH host keys left as they are: commands are not run in a scratch root", skipped=True
        )
    try:
        dropbears = _renew_dropbears(system, bool(settings["keep_existing"]))
    except ProvisioningError as error:
        if find_server(system).name == DROPBEAR:
            raise
        dropbears = Outcome("", ("the host keys of dropbear were not made: %s" % error,))
    name = instance.admin.name if instance.admin is not None else "root"
    return _join(dropbears, _renew_opensshs(system, settings, name))


def begin(system: System, settings: ModuleSettings) -> None:
    """Begin to make the keys that :func:`apply` puts in place, while lightinit waits for the
    network. If that is not possible, :func:`apply` makes them.

    Args:
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.
    """
    if not system.live:
        return
    keep = bool(settings["keep_existing"])
    for begin_keys in (_begin_opensshs, _begin_dropbears):
        try:
            begin_keys(system, keep)
        except (LightinitError, OSError) as error:
            LOG.info("host keys are not begun early: %s", error)


def _join(dropbears: Outcome, opensshs: Outcome) -> Outcome:
    warnings = tuple(opensshs.warnings) + tuple(dropbears.warnings)
    if not dropbears.message:
        return Outcome(opensshs.message, warnings, skipped=opensshs.skipped)
    if opensshs.skipped:
        return Outcome(dropbears.message, warnings)
    return Outcome("%s; %s" % (opensshs.message, dropbears.message), warnings)


# -- dropbear's
# --------------------------------------------------------------------------------------------------


class DropbearPlan(NamedTuple):
    """What is to be done about dropbear's host keys.

    Attributes:
        keygen: the command that makes keys; empty if there is none.
        places: the files.
        there: those that have a key.
        kept: those whose keys stay.
        wished: (place, type) of the keys to make.
        is_on_demand: whether dropbear makes missing keys by itself.
    """

    keygen: List[str]
    places: List[str]
    there: List[str]
    kept: List[str]
    wished: List[Tuple[str, str]]
    is_on_demand: bool


def _plan_dropbears(system: System, keep: bool) -> Optional[DropbearPlan]:
    """None if there is nothing to do."""
    if DROPBEAR not in [server.name for server in list_servers(system)]:
        return None
    from lightinit.formats.ssh import dropbear_keys as dropbear_formats
    from lightinit.formats.ssh.dropbear_options import read_started
    from lightinit.host.ssh import dropbear_keys
    from lightinit.host.ssh.dropbear import read_option_texts

    texts = read_option_texts(system)
    plain = texts.units + texts.scripts + texts.files
    options = read_started(texts.units, texts.scripts, texts.files, texts.uci)
    places = dropbear_formats.list_places(options, plain)
    there = dropbear_keys.list_there(system, places)
    is_started = texts.units or texts.scripts or find_server(system).name == DROPBEAR
    if not there and not is_started:
        return None  # the program alone is there, for an initramfs
    kept = [place for place in there if keep]
    typed = [(place, dropbear_formats.find_type(place, _head(system, place))) for place in places]
    return DropbearPlan(
        dropbear_keys.find_keygen(system),
        places,
        there,
        kept,
        [(place, kind) for place, kind in typed if place not in kept],
        dropbear_formats.is_on_demand(options, plain),
    )


def _begin_dropbears(system: System, keep: bool) -> None:
    plan = _plan_dropbears(system, keep)
    if plan is not None and plan.keygen:
        from lightinit.formats.ssh.dropbear_keys import TYPES
        from lightinit.host.ssh.dropbear_keys import begin_keys

        wished = [(place, kind) for place, kind in plan.wished if kind in TYPES]
        begin_keys(system, plan.keygen, wished)


def _renew_dropbears(system: System, keep: bool) -> Outcome:
    """Replace dropbear's host keys. Its message is "" if there is nothing to do."""
    plan = _plan_dropbears(system, keep)
    if plan is None:
        return Outcome("")
    from lightinit.host.ssh import dropbear_keys

    keygen, there, kept = plan.keygen, plan.there, plan.kept
    if not keygen and there and not keep and plan.is_on_demand:
        dropbear_keys.remove_keys(system, there)
        return Outcome("%d host keys of dropbear removed: it makes new ones (-R)" % len(there))
    if not keygen:
        return Outcome("", tuple(_say_shared(there)))
    made, failed, warnings = _make_dropbears(system, keygen, plan.wished)
    if not made and not kept:
        if not there and not plan.is_on_demand:
            raise ProvisioningError(
                "ssh host keys could not be made",
                said="; ".join(failed),
                hint="run by hand: dropbearkey -t ed25519 -f %s" % plan.places[0],
            )
        # People can log in all the same: by the image's keys, or by those of -R.
        why = "no host keys of dropbear could be made: %s" % "; ".join(failed)
        return Outcome("", tuple([why] + _say_shared(there)))
    # dropbear would go on with a key of the image that no new one has replaced.
    old = [place for place in there if place not in made and place not in kept]
    dropbear_keys.remove_keys(system, old)
    for place in kept + list(made):
        _show_dropbears(system, keygen, place, made.get(place, ""))
    if made and dropbear_keys.is_running(system):
        warnings.append("dropbear uses the old host keys until it is restarted")
    message = "%d host keys of dropbear made" % len(made)
    if kept:
        message += ", %d kept" % len(kept)
    return Outcome(message, tuple(warnings))


def _make_dropbears(
    system: System, keygen: Sequence[str], wished: Sequence[Tuple[str, str]]
) -> Tuple[Dict[str, str], List[str], List[str]]:
    """The places of the new keys, with what was printed when each was made; why others could not be
    made; warnings.
    """
    from lightinit.formats.ssh.dropbear_keys import TYPES
    from lightinit.host.ssh import dropbear_keys

    made: Dict[str, str] = {}
    failed: List[str] = []
    lost = set()
    for place, kind in wished:
        if kind not in TYPES:
            continue
        folder = place.rpartition("/")[0]
        try:
            stays = dropbear_keys.prepare_folder(system, folder)
            result = dropbear_keys.make_key(system, keygen, kind, place)
            why, printed = result.failure, result.printed
        except ProvisioningError as error:  # the file system may be read-only
            stays, why = True, str(error)
        if not stays:
            lost.add(folder)
        if why:
            LOG.info("dropbearkey made no %s key: %s", kind, why)
            failed.append("%s: %s" % (kind, why))
        else:
            made[place] = printed
    text = "the host keys of dropbear in %s are lost at a restart: each boot has other ones"
    return made, failed, [text % folder for folder in sorted(lost)]


def _head(system: System, place: str) -> bytes:
    try:
        return system.read(place)
    except (OSError, MalformedError):
        return b""


def _show_dropbears(system: System, keygen: Sequence[str], place: str, printed: str) -> None:
    """Log a key. A program that makes one prints its public part; otherwise it is asked."""
    from lightinit.formats.ssh.dropbear_keys import find_public
    from lightinit.host.ssh.dropbear_keys import read_public

    public = find_public(printed) or find_public(read_public(system, keygen, place))
    try:
        LOG.info("SSH host key %s", fingerprint(public.encode("ascii", "replace")))
    except MalformedError as error:
        LOG.info("SSH host key %s: its public part cannot be read: %s", place, error)


def _say_shared(there: Sequence[str]) -> List[str]:
    if not there:
        return []
    return [
        "the host keys of dropbear are those of the image (%s), so every VM of it may have the"
        " same: have dropbearkey make new ones; or remove them, if dropbear makes its own"
        " (dropbear -R)" % ", ".join(there)
    ]


# -- OpenSSH's
# --------------------------------------------------------------------------------------------------


def _begin_opensshs(system: System, keep: bool) -> None:
    private = [name for name in _list_there(system) if is_private_key_file(name)]
    keygen = _find_keygen(system, find_server(system), private)
    if keygen is not None and system.is_dir(host_keys.FOLDER):
        host_keys.begin_keys(system, keygen, _list_kept(system, private, keep))


def _list_there(system: System) -> List[str]:
    return host_keys.list_host_keys(system, is_host_key_file)


def _list_kept(system: System, private: Sequence[str], keep: bool) -> List[str]:
    return [name for name in private if keep and _has_content(system, name)]


def _renew_opensshs(system: System, settings: ModuleSettings, user: str) -> Outcome:
    """Replace OpenSSH's host keys. What sshd is asked is asked for ``user``, as others will ask."""
    server = find_server(system)
    there = _list_there(system)
    private = [name for name in there if is_private_key_file(name)]
    keygen = _find_keygen(system, server, private)
    others = _find_others(system)
    if keygen is None:
        return _leave(private, others)
    named = _find_named(system, server)
    kept = _list_kept(system, private, bool(settings["keep_existing"]))
    try:
        made, used = _renew(system, keygen, there, kept, named)
    except ProvisioningError as error:
        if not _does_without(system, server, private, error):
            raise
        return _keep_images(private, others, error)
    for name in kept + used + made:
        _show(system, name)
    config = str(server.find_config(system))
    _check_one_is_there(system, config, named)
    warnings = _check_config(system, config, named, kept + made)
    if made:
        warnings += _reload(system, server, user)
    return Outcome(_message(made, kept + used), tuple(warnings + others))


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


def _renew(
    system: System, keygen: str, there: Sequence[str], kept: Sequence[str], named: Sequence[str]
) -> Tuple[List[str], List[str]]:
    """Make the keys and put them in place. Returns the new ones, and the old ones that stay because
    sshd's configuration names them.
    """
    from lightinit.formats.accounts.passwd import find_group
    from lightinit.host.accounts.files import read_account_file

    private = [name for name in there if is_private_key_file(name)]
    comment = "root@%s" % os.uname().nodename  # as ssh-keygen writes it
    new_keys = host_keys.make_keys(
        system,
        keygen,
        kept,
        host_keys.KeyFormat(is_private_key_file, is_public, partial(with_comment, comment=comment)),
    )
    made = new_keys.names
    keys_gid = find_group(read_account_file(system, "/etc/group"), "ssh_keys")
    access = host_keys.private_access(system, private, keys_gid)
    new = list(made) + list(kept)
    used = [name for name in private if name not in new and _is_used(system, name, named)]
    old: List[str] = []
    if not kept:
        old = [name for name in there if private_name(name) not in used]
    host_keys.install_keys(system, new_keys, access, old)
    return made, used


def _does_without(
    system: System, server: SshServer, private: Sequence[str], error: ProvisioningError
) -> bool:
    """Whether sshd works with the image's keys, and a later boot could do no better. Space that is
    lacking may be freed, and then the next boot makes the keys.
    """
    if not private or any(text in str(error) for text in NO_SPACE):
        return False
    from lightinit.login.asking import ask

    return bool(ask(system, server, "root").effective)


def _keep_images(
    private: Sequence[str], others: Sequence[str], error: ProvisioningError
) -> Outcome:
    text = (
        "the SSH host keys are those of the image (%s), so every VM of it may have the same: new"
        " ones could not be made: %s; make them with ssh-keygen -A"
    )
    return Outcome(
        "SSH host keys left as they are", (text % (", ".join(private), error),) + tuple(others)
    )


def _reload(system: System, server: SshServer, user: str) -> List[str]:
    def is_sound() -> bool:
        from lightinit.login import asking

        return bool(asking.ask(system, server, user).effective)

    why = server.reload(system, is_sound)
    if why:
        return ["sshd uses the old host keys until it is restarted: %s" % why]
    return []


def _message(made: Sequence[str], kept: Sequence[str]) -> str:
    message = "%d SSH host keys made" % len(made)
    if kept:
        message += ", %d kept" % len(kept)
    return message


def _leave(private: Sequence[str], others: Sequence[str]) -> Outcome:
    """Handle the case that no program can make keys. Warn if the image has keys."""
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


def _find_others(system: System) -> List[str]:
    """A warning for each other SSH server here that has host keys: they are the image's."""
    return [
        "the host keys of %s are those of the image (%s), so every VM of it may have the same: %s"
        % (server.name, ", ".join(paths), server.host_key_remedy())
        for server, paths in (
            (each, each.foreign_host_keys(system)) for each in list_servers(system)
        )
        if paths
    ]


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


def _is_used(system: System, name: str, named: Sequence[str]) -> bool:
    """Whether sshd_config names this old key. If no new key replaces it, it stays, since sshd may
    have no other.
    """
    return _has_content(system, name) and _is_named(system, name, named)


def _show(system: System, name: str) -> None:
    path = "%s/%s.pub" % (host_keys.FOLDER, name)
    try:
        LOG.info("SSH host key %s", fingerprint(system.read(path)))
    except (OSError, MalformedError) as error:
        LOG.info("SSH host key %s: its public part cannot be read: %s", path, error)


def _is_named(system: System, name: str, named: Sequence[str]) -> bool:
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
