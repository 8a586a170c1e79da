"""The base class of SSH servers. Each kind of server is a subclass in its own file.

The table of servers is in :mod:`lightinit.host.ssh.servers`.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.host.system import System
from lightinit.model import NamedTuple


class LoginAttempt(NamedTuple):
    """A login about which a server is asked. It has everything that a ``Match`` block can name.

    Attributes:
        user: the account's name.
        address: the client's address. It is also used as the client's host name.
        local_address: the address of this host to which the client connects; "" if unknown.
        local_port: the port to which the client connects.
    """

    user: str
    address: str
    local_address: str = ""
    local_port: int = 22


class Printed(NamedTuple):
    """A server's output about its configuration.

    Attributes:
        text: the configuration in force; "" if it printed none.
        said: why it printed none; "" if there is no such server.
    """

    text: str = ""
    said: str = ""


class SshServer:
    """An SSH server. The defaults are those of a host that has none.

    Attributes:
        name: its program.
        keygen: the program that makes its host keys; "" if lightinit makes none for it.
        services: the names under which init systems start it. lightinit runs before them.
        files: those on which its configuration depends, besides its configuration files.
    """

    name = ""
    keygen = ""
    services: Tuple[str, ...] = ()
    files: Tuple[str, ...] = ()

    def is_there(self, system: System) -> bool:
        """Whether the host has this server."""
        return False

    def accepts_shell(self, system: System, shell: str) -> bool:
        """Whether it accepts users whose login shell is ``shell``, an existing program."""
        return True

    # -- its configuration

    def find_config(self, system: System) -> Optional[str]:
        """The configuration file that it reads; None if there is none."""
        return None

    def can_be_configured(self, system: System) -> bool:
        """Whether lightinit can put a policy for password login into its configuration."""
        return False

    def effective(self, system: System, connection: LoginAttempt) -> Printed:
        """The configuration in force for a login.

        Raises:
            ProvisioningError: it took too long.
        """
        return Printed()

    def find_fault(self, system: System) -> str:
        """The error that the server finds in its configuration; "" for none.

        Raises:
            ProvisioningError: it took too long.
        """
        return ""

    def find_fault_in(self, system: System, text: str) -> str:
        """As :meth:`find_fault`, for the text of a new configuration."""
        return ""

    def list_refused(self, system: System, keys: Sequence[str]) -> Dict[str, str]:
        """Those of some private host keys that the server cannot use, each with the reason.

        Raises:
            ProvisioningError: it took too long.
        """
        return {}

    def reload(self, system: System, is_sound: Callable[[], bool] = lambda: False) -> str:
        """Make a running server read its configuration and host keys again. Connections stay.

        Args:
            system: the machine.
            is_sound: tells whether the server is known to accept them as they are now. It is called
                only if a server runs.

        Returns:
            "" on success, or if no server runs; else why it failed.
        """
        return ""

    # -- what lightinit does not do for it

    def password_notes(self, password_login: bool, flags: str) -> Sequence[str]:
        """What the operator must do by hand for this policy of password login; one text each.

        Args:
            password_login: the policy.
            flags: the letters of the options without a value with which it is started.
        """
        return ()

    def foreign_host_keys(self, system: System) -> List[str]:
        """Its host keys that lightinit does not make."""
        return []

    def host_key_remedy(self) -> str:
        """How to make it generate new keys of that kind."""
        return ""
