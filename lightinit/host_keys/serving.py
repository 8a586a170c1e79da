"""Has sshd use the host keys that a cloud-config wants: HostCertificate lines in its configuration,
and HostKey lines where something makes other keys before sshd starts.

sshd checks the new configuration. If it finds fault, the old one comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.ssh import sshd_config
from lightinit.formats.ssh.password_policy import walk
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file
from lightinit.host.ssh import config_files
from lightinit.host.ssh.host_keys import FOLDER
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.host_keys.taken import add_certificates
from lightinit.login.asking import find_fault

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKeys

MAIN = config_files.CONFIGS[0]
DROP_IN = config_files.HOST_KEYS
HEAD = "# Made by lightinit: the host keys that the cloud-config wants.\n"
# What starts before sshd, or starts it, and makes the keys that are missing: Alpine and Gentoo
# (OpenRC), Buildroot, Slackware, Void, Arch and Fedora (systemd).
KEY_MAKERS = (
    "/etc/init.d/sshd",
    "/etc/init.d/S[0-9][0-9]sshd",
    "/etc/rc.d/rc.sshd",
    "/etc/sv/sshd/run",
    "/usr/lib/systemd/system/ssh*key*.service",
    "/lib/systemd/system/ssh*key*.service",
    "/etc/systemd/system/ssh*key*.service",
)
KEYGEN = "ssh-keygen"


def serve(
    system: System,
    server: SshServer,
    user: str,
    given: Optional[GivenHostKeys],
    names: Sequence[str],
) -> List[str]:
    """Put the given certificates in place, and have sshd use the host keys that are wanted. Without
    a cloud-config, what was ordered by an earlier one goes.

    Args:
        system: the machine. Its host keys are in place.
        server: its SSH server.
        user: the account that sshd is asked about, as others will ask.
        given: what the cloud-config says of host keys; None without one.
        names: the names of the private keys in /etc/ssh.

    Returns:
        Warnings.

    Raises:
        ProvisioningError: a certificate cannot be written.
    """
    paths: List[str] = []
    warnings: List[str] = []
    if given is not None:
        paths, warnings = add_certificates(system, given.keys)
    if given is None or given.types is None:
        names = ()
    try:
        _put(system, server, user, paths, names)
    except ProvisioningError as error:
        warnings.append("sshd is not told which host keys to use: %s" % error)
    return warnings


def _put(
    system: System,
    server: SshServer,
    user: str,
    paths: Sequence[str],
    names: Sequence[str],
) -> None:
    config = server.find_config(system)
    if config is None:
        if paths:
            raise ProvisioningError("sshd has no configuration file", path=MAIN)
        return
    wanted = _place(system, config, paths, names)
    if _is_so(system, wanted):
        return
    fault = find_fault(system, server, user)
    if fault:  # the image's configuration already had it
        raise config_files.faulty(config, fault)
    before = config_files.put_checked(
        system, wanted, config, lambda: find_fault(system, server, user)
    )
    if before:
        restore_labels(system, [each for each in before if system.exists(each)])


def _is_so(system: System, wanted: Dict[str, Optional[str]]) -> bool:
    return all(read_text_file(system, path) == text for path, text in wanted.items())


def _makes_missing_keys(system: System) -> bool:
    """Whether something on this host makes host keys that are missing when sshd starts."""
    places = [path for pattern in KEY_MAKERS for path in system.glob(pattern)]
    return any(KEYGEN in system.read_text(path) for path in places)


def _place(
    system: System, config: str, paths: Sequence[str], names: Sequence[str]
) -> Dict[str, Optional[str]]:
    """The new texts of all files; None: to be removed."""
    plain = sshd_config.drop_block(read_text_file(system, config) or "", sshd_config.HOST_KEYS)

    def included(pattern: str) -> List[Tuple[str, str]]:
        found = config_files.list_included(system, pattern)
        return [(path, text) for path, text in found if path != DROP_IN]

    named: Dict[str, List[str]] = {"hostkey": [], "hostcertificate": []}
    for block, keyword, arguments in walk(plain, included):
        if keyword in named and not block:
            named[keyword] += arguments[:1]
    there = named["hostcertificate"]
    lines = ["HostCertificate %s\n" % path for path in paths if path not in there]
    if names and not named["hostkey"] and _makes_missing_keys(system):
        lines += ["HostKey %s/%s\n" % (FOLDER, name) for name in sorted(names)]
    if not lines:
        return {DROP_IN: None, config: plain}
    text = HEAD + "".join(lines)
    if sshd_config.includes(plain, DROP_IN):
        return {DROP_IN: text, config: plain}
    plain = config_files.main_text(config, plain)
    return {MAIN: sshd_config.put_block(plain, sshd_config.HOST_KEYS, text), DROP_IN: None}
