"""Asks the SSH server which configuration is in force for a login.

sshd starts slowly on a small machine. So an answer is kept while the files on which it depends stay
unchanged, and all callers share it, see :mod:`lightinit.login.answers`.
"""

from __future__ import annotations

import logging
import os
import re
import time
from typing import Dict, List, Sequence, Tuple
from weakref import WeakKeyDictionary

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.formats.ssh import origins, sshd_config
from lightinit.formats.ssh.effective import Effective
from lightinit.host.network.interfaces import reachable_addresses, source_address_to
from lightinit.host.ssh import config_files
from lightinit.host.ssh.server import LoginAttempt, SshServer
from lightinit.host.system import System
from lightinit.login.answers import ask_once, is_settled, states_of
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.login")
# An address that no network has. It stands for a login from outside.
ANYWHERE = "192.0.2.1"
# Another one, in case the configuration names the network of the first one.
ANYWHERE_ELSE = "198.51.100.1"
ACCOUNTS = ("/etc/passwd", "/etc/group")
FOLDER = "/etc/ssh"
# useradd gives people's accounts no lower number; login.defs may set a higher one.
LEAST_UID = 1000


class Reply(NamedTuple):
    """The server's answer.

    Attributes:
        effective: the configuration in force; empty without an answer.
        said: why there is no answer; "" if there is no server.
    """

    effective: Effective
    said: str = ""


class Config(NamedTuple):
    """The text of the server's configuration, with what it includes.

    Attributes:
        text: the text of the main file; "" if there is none.
        included: Include pattern -> (path, text) of its files, for the patterns in the files.
        files: the paths of all files.
        conditions: those of its Match blocks, as of :func:`origins.list_conditions`.
        port: the first one on which the server listens.
        host_keys: the files that HostKey lines name.
        is_for_all: whether it certainly is the same for all logins: it has no Match block, and no
            keyword in quotes, which might be one.
    """

    text: str
    included: Dict[str, List[Tuple[str, str]]]
    files: List[str]
    conditions: Sequence[Tuple[str, str]] = ()
    port: int = origins.DEFAULT_PORT
    host_keys: Sequence[str] = ()
    is_for_all: bool = False

    def list_included(self, pattern: str) -> Sequence[Tuple[str, str]]:
        """The files that an Include pattern names."""
        return self.included.get(pattern, ())


class KeptConfig(NamedTuple):
    """A configuration that was read, and what shows that it is unchanged.

    Attributes:
        config: the configuration.
        paths: its files, and the folders in which Include patterns look for them.
        state: the state of these, see :func:`states_of`.
    """

    config: Config
    paths: List[str]
    state: Tuple[object, ...]


_QUOTED = re.compile(r'^\s*"', re.MULTILINE)
_CONFIGS: "WeakKeyDictionary[System, Dict[str, KeptConfig]]" = WeakKeyDictionary()


def read_config(system: System, server: SshServer) -> Config:
    """The server's configuration with all that it includes. It is read again only if a file, or the
    list of the files, has changed.
    """
    path = server.find_config(system)
    if path is None:
        return Config("", {}, [])
    kept = _CONFIGS.setdefault(system, {})
    known = kept.get(server.name)
    if known and known.paths[0] == path and states_of(system, known.paths) == known.state:
        return known.config
    kept.pop(server.name, None)
    began_ns = time.time_ns()
    config = _read_config(system, path)
    folders = [os.path.dirname(sshd_config.absolute(each)) for each in config.included]
    paths = list(dict.fromkeys(config.files + folders))
    state = states_of(system, paths)
    if not any(map(config_files.is_pattern, paths)) and is_settled(state, began_ns):
        kept[server.name] = KeptConfig(config, paths, state)
    return config


def _read_config(system: System, path: str) -> Config:
    config = Config(system.read_text(path), {}, [path])

    def included(pattern: str) -> Sequence[Tuple[str, str]]:
        if pattern not in config.included:
            config.included[pattern] = config_files.list_included(system, pattern)
            config.files.extend(name for name, _ in config.included[pattern])
        return config.included[pattern]

    keys = sshd_config.read_host_keys(
        config.text, lambda pattern: [text for _, text in included(pattern)]
    )
    conditions = origins.list_conditions(config.text, included)
    texts = [config.text] + [text for found in config.included.values() for _, text in found]
    return config._replace(
        is_for_all=not conditions and not any(map(_QUOTED.search, texts)),
        conditions=conditions,
        port=origins.find_port(config.text, included),
        host_keys=keys,
    )


def ask(system: System, server: SshServer, user: str, address: str = ANYWHERE) -> Reply:
    """The configuration that is in force for a login of ``user`` from ``address``."""
    port = read_config(system, server).port
    return ask_about(system, server, LoginAttempt(user, address, own_address(system), port))


def ask_about(system: System, server: SshServer, connection: LoginAttempt) -> Reply:
    """As :func:`ask`, for any connection."""

    def ask_now() -> Reply:
        try:
            printed = server.effective(system, connection)
            return Reply(Effective(printed.text), printed.said)
        except ProvisioningError as error:
            return Reply(Effective(""), str(error))

    return ask_once(system, (connection, _state_of(system, server)), ask_now)


def find_fault(system: System, server: SshServer, user: str) -> str:
    """The error that the server finds in its configuration; "" for none.

    If it says which configuration is in force for a login of ``user``, it has accepted all of it.

    Raises:
        ProvisioningError: it took too long.
    """
    if ask(system, server, user).effective:
        return ""
    key = ("fault", _state_of(system, server))
    return ask_once(system, key, lambda: server.find_fault(system))


def find_fault_in(system: System, server: SshServer, text: str) -> str:
    """The error that the server finds in another text of its main file; "" for none.

    Raises:
        ProvisioningError: it took too long, or the text cannot be written.
    """
    key = ("fault in", text, _state_of(system, server))
    return ask_once(system, key, lambda: server.find_fault_in(system, text))


def own_address(system: System) -> str:
    """The address of this host to which others connect first; "" if it is unknown."""
    if not system.live:
        return ""
    known = own_addresses()
    try:
        first = source_address_to(ANYWHERE)
    except OSError:
        first = ""
    if first in known:
        return first
    return "".join(known[:1])


def own_addresses() -> Tuple[str, ...]:
    """This host's addresses that others can reach; empty if they cannot be listed."""
    try:
        return reachable_addresses()
    except (ImportError, OSError) as error:
        LOG.info("this host's addresses are unknown: %s", error)
        return ()


def _state_of(system: System, server: SshServer) -> Tuple[object, ...]:
    """A value that changes if anything changes on which the server's answer depends.

    Accounts count if the configuration has Match blocks. Otherwise only those do that are no
    person's: sshd does not start without its own.
    """
    config = read_config(system, server)
    keys = [each for each in config.host_keys if each.startswith("/")]
    program = [each for each in (system.tool(server.name or "sshd"),) if each]
    paths = config.files + [FOLDER] + list(server.files) + keys + program
    if not config.is_for_all:
        return (server.name,) + states_of(system, paths + list(ACCOUNTS))
    return (server.name, _list_others(system)) + states_of(system, paths)


def _list_others(system: System) -> Tuple[str, ...]:
    """The lines of /etc/passwd that are not those of people's accounts."""
    lines = system.read_text(ACCOUNTS[0]).split("\n")
    return tuple(line for line in lines if not _is_person(line.split(":")))


def _is_person(fields: Sequence[str]) -> bool:
    number = read_digits(fields[2]) if len(fields) == 7 else None
    return number is not None and number >= LEAST_UID
