"""dropbear. lightinit does not configure it, but says what the operator has to do."""

from __future__ import annotations

from typing import List, Sequence

from lightinit.host.accounts.shells import list_shells
from lightinit.host.accounts.tools import has_tool
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System

# Also those with which it lets people in before the disk is decrypted.
HOST_KEYS = (
    "/etc/dropbear/*_host_key",
    "/etc/dropbear/initramfs/*_host_key",
    "/etc/dropbear-initramfs/*_host_key",
)


class Dropbear(SshServer):
    """dropbear."""

    name = "dropbear"
    services = ("dropbear",)

    def is_there(self, system: System) -> bool:
        """Whether dropbear is installed."""
        return has_tool(system, "dropbear")

    def accepts_shell(self, system: System, shell: str) -> bool:
        """Whether getusershell(3) lists the shell: dropbear accepts no other shell."""
        return shell in list_shells(system)

    def password_notes(self, password_login: bool) -> Sequence[str]:
        """How to switch password login off: dropbear has options, and no configuration file."""
        if password_login:
            return ()
        return (
            "dropbear accepts the password of every account that has one; to switch that off, start"
            " it with -s",
        )

    def foreign_host_keys(self, system: System) -> List[str]:
        """All of dropbear's host keys."""
        return [path for pattern in HOST_KEYS for path in system.glob(pattern)]

    def host_key_remedy(self) -> str:
        """Remove the key: with -R dropbear makes a new one by itself."""
        return "remove it, if dropbear makes its own (dropbear -R)"
