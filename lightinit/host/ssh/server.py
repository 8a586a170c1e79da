"""What an SSH server must tell lightinit. Each kind of server is a subclass in a file of its own.

The table of them is in :mod:`lightinit.host.ssh.servers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from lightinit.host.system import System


@dataclass(frozen=True)
class LoginAttempt:
    """A login that a server is asked about: all that a ``Match`` block can name.

    Attributes:
        user: the account's name.
        address: the client's. It is the client's host name too.
        local_address: the address of this host that the client connects to, "" if unknown.
        local_port: the port that the client connects to.
    """

    user: str
    address: str
    local_address: str = ""
    local_port: int = 22


@dataclass(frozen=True)
class Printed:
    """What a server printed about its configuration.

    Attributes:
        text: the configuration in force; "" if it printed none.
        said: why it printed none; "" if there is no such server to ask.
    """

    text: str = ""
    said: str = ""


class SshServer:
    """An SSH server. The defaults are those of a host that has none.

    Attributes:
        name: its program.
        keygen: the program that makes its host keys; "" if lightinit makes none for it.
        services: the names under which init systems start it. lightinit runs before them.
    """

    name = ""
    keygen = ""
    services: Tuple[str, ...] = ()

    def is_there(self, system: System) -> bool:
        """Whether the host has this server."""
        return False

    def accepts_shell(self, system: System, shell: str) -> bool:
        """Whether it lets in a user whose login shell is ``shell``, a program that exists."""
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
        """The fault that it finds in its configuration; "" for none.

        Raises:
            ProvisioningError: it took too long.
        """
        return ""

    def find_fault_in(self, system: System, text: str) -> str:
        """As :meth:`find_fault`, for a configuration that is not in its place yet."""
        return ""

    def reload(self, system: System) -> str:
        """Make a running server read its configuration and host keys again. Connections stay.

        Returns:
            "" if it was told, or if none runs; else why it was not told.
        """
        return ""

    # -- what lightinit does not do for it

    def password_notes(self, password_login: bool) -> Sequence[str]:
        """What an operator should do by hand to get a policy for password login."""
        return ()

    def foreign_host_keys(self, system: System) -> List[str]:
        """Its host keys that lightinit does not make."""
        return []

    def host_key_remedy(self) -> str:
        """How it makes such keys by itself."""
        return ""
