"""dropbear. lightinit makes its host keys (:mod:`lightinit.host.ssh.dropbear_keys`). It does not
configure it, but says what the operator has to do.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from lightinit.host.accounts.shells import list_shells
from lightinit.host.accounts.tools import has_tool
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.model import NamedTuple

# With these it lets people in before the disk is decrypted. They are in the initramfs, too.
INITRAMFS_KEYS = (
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

    def password_notes(self, password_login: bool, flags: str) -> Sequence[str]:
        """How to switch password login on or off: dropbear has options, and no configuration
        file.
        """
        if password_login and "s" in flags:
            return ("dropbear takes no passwords: to allow them, start it without -s",)
        if password_login or "s" in flags:
            return ()
        return (
            "dropbear accepts the password of every account that has one; to switch that off, start"
            " it with -s",
        )

    def foreign_host_keys(self, system: System) -> List[str]:
        """Those in the initramfs."""
        return [path for pattern in INITRAMFS_KEYS for path in system.glob(pattern)]

    def host_key_remedy(self) -> str:
        """Make another one by hand, and put it into the initramfs."""
        return "remove it, make another with dropbearkey, and then the initramfs"


# -- its options
# --------------------------------------------------------------------------------------------------

# Where scripts and units get its options from.
OPTION_FILES = (
    "/etc/default/dropbear",
    "/etc/conf.d/dropbear",
    "/etc/sysconfig/dropbear",
    "/etc/sv/dropbear/conf",
)
UCI_FILE = "/etc/config/dropbear"
UNITS = (
    "/usr/lib/systemd/system/dropbear@.service",
    "/lib/systemd/system/dropbear@.service",
    "/etc/systemd/system/dropbear@.service",
    "/usr/lib/systemd/system/dropbear.service",
    "/lib/systemd/system/dropbear.service",
    "/etc/systemd/system/dropbear.service",
    "/usr/lib/systemd/system/dropbear.service.d/*.conf",
    "/lib/systemd/system/dropbear.service.d/*.conf",
    "/etc/systemd/system/dropbear.service.d/*.conf",
)
SCRIPTS = (
    "/etc/init.d/dropbear",
    "/etc/init.d/S??dropbear",
    "/etc/rc.d/rc.dropbear",
    "/etc/sv/dropbear/run",
    "/etc/dropbear/run",
)


class OptionTexts(NamedTuple):
    """What says with which options dropbear is started.

    Attributes:
        units: systemd's unit and its drop-ins, in the order in which they count.
        scripts: the other init systems' scripts.
        files: the files with the variables that both use.
        uci: OpenWrt's configuration, from which its script makes the options; "" for none.
    """

    units: Tuple[str, ...]
    scripts: Tuple[str, ...]
    files: Tuple[str, ...]
    uci: str = ""


def read_option_texts(system: System) -> OptionTexts:
    """Read all that says with which options dropbear is started."""

    def read(paths: Sequence[str]) -> Tuple[str, ...]:
        return tuple(text for text in map(system.read_text, paths) if text)

    units = [path for each in UNITS for path in system.glob(each)]
    if system.is_dir("/usr/lib/systemd") and system.is_dir("/lib/systemd"):
        units = [path for path in units if not path.startswith("/lib/")]
    scripts = [path for each in SCRIPTS for path in system.glob(each)]
    return OptionTexts(read(units), read(scripts), read(OPTION_FILES), system.read_text(UCI_FILE))
