"""OpenSSH's sshd. It is asked about its own configuration: what is in force, and what is faulty."""

from __future__ import annotations

import logging
import os
import re
import signal
from typing import Optional

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.files.candidate import candidate
from lightinit.host.ssh import config_files
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.sshd")
LIMIT_S = 10.0
MAX_LINES = 3
PID_MOST = 2**22  # the kernel's limit
PID_FILES = ("/run/sshd.pid", "/var/run/sshd.pid")
# An address that no network has. It stands for the rest of the world.
ANYWHERE = "192.0.2.1"
_LACKS_FOLDER = re.compile(
    r"^Missing privilege separation directory: (/(?:var/)?run/[\w.-]+)\s*$", re.MULTILINE
)
# It also prints a line for an option that is deprecated, or is ignored since it is unsupported.
_NO_FAULT = re.compile(r"(?i)\b(?:deprecated|unsupported) option\b|: terminating, ")
_LACKS_KEYS = re.compile(r"^sshd: no hostkeys available -- exiting\.\s*$", re.MULTILINE)


class Sshd(SshServer):
    """OpenSSH's sshd."""

    name = "sshd"
    keygen = "ssh-keygen"
    services = ("ssh", "sshd")

    def is_there(self, system: System) -> bool:
        """Whether sshd or its configuration is there; a scratch root shows no programs."""
        return system.tool("sshd") is not None or self.find_config(system) is not None

    def find_config(self, system: System) -> Optional[str]:
        """The administrator's sshd_config, else the vendor's, else None."""
        return config_files.find_config(system)

    def can_be_configured(self, system: System) -> bool:
        """Whether there are sshd (on a live machine) and its configuration."""
        if system.live and system.tool("sshd") is None:
            return False
        return self.find_config(system) is not None

    def effective(self, system: System, user: str) -> str:
        """The output of ``sshd -T`` for a login from anywhere; "" if it prints nothing.

        Without host keys it prints nothing. A Match block for this host itself does not count: it
        neither keeps anybody out nor lets anybody in.
        """
        ended = _ask(system, "-T", "-C", "user=%s,host=%s,addr=%s" % (user, ANYWHERE, ANYWHERE))
        if ended is None:
            return ""
        if not ended.ok:
            LOG.info("sshd does not print its configuration: %s", ended.last_words)
            return ""
        return ended.stdout

    def find_fault(self, system: System) -> str:
        """What ``sshd -t`` finds in sshd's own configuration."""
        return _find_fault(_ask(system, "-t"))

    def find_fault_in(self, system: System, text: str) -> str:
        """What ``sshd -t`` finds in another sshd_config."""
        if system.tool("sshd") is None:
            return ""
        with candidate(system, "/etc/ssh/sshd_config", text, 0o600) as place:
            return _find_fault(_ask(system, "-t", "-f", system.path(place)))

    def reload(self, system: System) -> str:
        """Send SIGHUP to a running sshd, if it would start with its configuration."""
        pid = _find_pid(system)
        if not pid or system.read_text("/proc/%s/comm" % pid).strip() != "sshd":
            return ""
        sshd = system.tool("sshd")
        if sshd is not None:
            try:
                ended = system.run([sshd, "-t"], timeout_s=LIMIT_S)
            except ProvisioningError as error:
                return str(error)
            if not ended.ok:
                # It would end, and not reload.
                return "sshd finds fault with its configuration: %s" % ended.last_words
        try:
            os.kill(int(pid), signal.SIGHUP)
        except OSError as error:
            return error.strerror or str(error)
        LOG.info("told sshd (process %s) to read its configuration and host keys again", pid)
        return ""


def _ask(system: System, *options: str) -> Optional[Completed]:
    """Run sshd with options that make it end at once (``-t``, ``-T``); None without sshd."""
    sshd = system.tool("sshd")
    if sshd is None:
        return None
    argv = [sshd] + list(options)
    ended = system.run(argv, timeout_s=LIMIT_S)
    lacks = _LACKS_FOLDER.search(ended.stderr)
    if not ended.ok and lacks:  # sshd's own unit makes it, but that starts after lightinit
        system.make_dir(lacks.group(1))
        ended = system.run(argv, timeout_s=LIMIT_S)
    return ended


def _find_fault(ended: Optional[Completed]) -> str:
    # sshd reads its whole configuration before it looks for host keys. So missing keys are no fault
    # of the configuration.
    if ended is None or ended.ok or _LACKS_KEYS.search(ended.stderr):
        return ""
    lines = [
        line.strip()
        for line in ended.stderr.splitlines()
        if line.strip() and not _NO_FAULT.search(line)
    ]
    return "; ".join(lines[:MAX_LINES]) or ended.last_words


def _find_pid(system: System) -> str:
    for path in PID_FILES:
        pid = read_digits(system.read_text(path).strip(), PID_MOST)
        if pid:
            return str(pid)
    return ""
