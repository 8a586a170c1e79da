"""dropbear. lightinit does not configure it, but says what the operator has to do."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

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


# -- its options
# --------------------------------------------------------------------------------------------------

# Where scripts and units get its options from, and the variables; the port comes before.
OPTION_FILES = ("/etc/default/dropbear", "/etc/conf.d/dropbear", "/etc/sysconfig/dropbear")
OPTION_NAMES = ("DROPBEAR_EXTRA_ARGS", "DROPBEAR_OPTS", "OPTIONS")
PORT_NAME = "DROPBEAR_PORT"
UNITS = (
    "/usr/lib/systemd/system/dropbear.service",
    "/lib/systemd/system/dropbear.service",
    "/etc/systemd/system/dropbear.service",
    "/usr/lib/systemd/system/dropbear.service.d/*.conf",
    "/lib/systemd/system/dropbear.service.d/*.conf",
    "/etc/systemd/system/dropbear.service.d/*.conf",
)
SCRIPTS = ("/etc/init.d/dropbear", "/etc/sv/dropbear/run")


class OptionTexts(NamedTuple):
    """What says with which options dropbear is started.

    Attributes:
        units: systemd's unit and its drop-ins, in the order in which they count.
        scripts: the other init systems' scripts.
        files: the files with the variables that both use.
    """

    units: Tuple[str, ...]
    scripts: Tuple[str, ...]
    files: Tuple[str, ...]


def read_option_texts(system: System) -> OptionTexts:
    """Read all that says with which options dropbear is started."""

    def read(paths: Sequence[str]) -> Tuple[str, ...]:
        return tuple(text for text in map(system.read_text, paths) if text)

    units = [path for each in UNITS for path in system.glob(each)]
    if system.is_dir("/usr/lib/systemd") and system.is_dir("/lib/systemd"):
        units = [path for path in units if not path.startswith("/lib/")]
    return OptionTexts(read(units), read(SCRIPTS), read(OPTION_FILES))
