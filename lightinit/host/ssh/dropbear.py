"""dropbear. lightinit does not set it up; it says what is left to do."""

from __future__ import annotations

from typing import List, Sequence

from lightinit.host.accounts.shells import list_shells
from lightinit.host.accounts.tools import has_tool
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System

HOST_KEYS = "/etc/dropbear/*_host_key"


class Dropbear(SshServer):
    """dropbear."""

    name = "dropbear"
    services = ("dropbear",)

    def is_there(self, system: System) -> bool:
        """Whether dropbear is installed."""
        return has_tool(system, "dropbear")

    def accepts_shell(self, system: System, shell: str) -> bool:
        """It accepts what getusershell(3) lists, and nothing else."""
        return shell in list_shells(system)

    def password_notes(self, password_login: bool) -> Sequence[str]:
        """dropbear has no configuration file; options switch password login off."""
        if password_login:
            return ()
        return (
            "dropbear lets in every account that has a password; to switch that off, start it"
            " with -s",
        )

    def foreign_host_keys(self, system: System) -> List[str]:
        """All of dropbear's host keys."""
        return system.glob(HOST_KEYS)

    def host_key_remedy(self) -> str:
        """dropbear makes its host keys by itself with -R."""
        return "remove it, if dropbear makes its own (dropbear -R)"
