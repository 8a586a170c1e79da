"""Has sshd show the certificates of its host keys: HostCertificate lines in its configuration.

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
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.host_keys.taken import add_certificates
from lightinit.login.asking import find_fault

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKey

MAIN, VENDORS = config_files.CONFIGS
DROP_IN = config_files.CERTIFICATES
HEAD = "# Made by lightinit: the certificates of the host keys, from the cloud-config.\n"


def serve(system: System, server: SshServer, user: str, keys: Sequence[GivenHostKey]) -> List[str]:
    """Put the given certificates in place, and have sshd show them.

    Args:
        system: the machine. Its host keys are in place.
        server: its SSH server.
        user: the account that sshd is asked about, as others will ask.
        keys: the given keys.

    Returns:
        Warnings.

    Raises:
        ProvisioningError: a certificate cannot be written.
    """
    paths, warnings = add_certificates(system, keys)
    try:
        _put(system, server, user, paths)
    except ProvisioningError as error:
        warnings.append("sshd does not show the certificates of its host keys: %s" % error)
    return warnings


def _put(system: System, server: SshServer, user: str, paths: Sequence[str]) -> None:
    config = server.find_config(system)
    if config is None:
        if paths:
            raise ProvisioningError("sshd has no configuration file", path=MAIN)
        return
    wanted = _place(system, config, paths)
    fault = find_fault(system, server, user)
    if fault:  # the image's configuration already had it
        raise _faulty(config, fault)
    before = config_files.put_texts(system, wanted)
    if not before:
        return
    try:
        fault = find_fault(system, server, user)
        if fault:
            raise _faulty(config, fault)
    except ProvisioningError:
        config_files.put_texts(system, before)
        raise
    restore_labels(system, [each for each in before if system.exists(each)])


def _place(system: System, config: str, paths: Sequence[str]) -> Dict[str, Optional[str]]:
    """The new texts of all files; None: to be removed."""
    plain = sshd_config.drop_block(read_text_file(system, config) or "", sshd_config.CERTIFICATES)

    def included(pattern: str) -> List[Tuple[str, str]]:
        found = config_files.list_included(system, pattern)
        return [(path, text) for path, text in found if path != DROP_IN]

    there = [
        arguments[0]
        for block, keyword, arguments in walk(plain, included)
        if keyword == "hostcertificate" and not block and arguments
    ]
    lines = ["HostCertificate %s\n" % path for path in paths if path not in there]
    if not lines:
        return {DROP_IN: None, config: plain}
    text = HEAD + "".join(lines)
    if sshd_config.includes(plain, DROP_IN):
        return {DROP_IN: text, config: plain}
    if config == VENDORS:
        # Do not change the vendor's file. Make the administrator's file, which includes it.
        plain = "Include %s\n" % VENDORS
    return {MAIN: sshd_config.put_block(plain, sshd_config.CERTIFICATES, text), DROP_IN: None}


def _faulty(path: str, fault: str) -> ProvisioningError:
    return ProvisioningError(
        "sshd finds fault with its configuration",
        path=path,
        said=fault,
        hint="it was not changed; fix it in the image, with the help of sshd -t",
    )
