"""OpenSSH's sshd. lightinit asks sshd which configuration is in force, and for errors in it."""

from __future__ import annotations

import logging
import os
import re
import signal
from typing import Callable, Dict, List, Optional, Sequence

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.files.candidate import candidate
from lightinit.host.ssh import config_files
from lightinit.host.ssh.server import LoginAttempt, Printed, SshServer
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.sshd")
LIMIT_S = 10.0
CHUNK_BYTES = 64 * 1024
MAX_LINES = 3
PID_MOST = 2**22  # the kernel's limit
# The files from which init systems take options for sshd, and the variables. If two files have the
# same variable, the later one counts. Red Hat 8 sets its crypto policy in this way.
OPTION_FILES = (
    ("/etc/default/ssh", "SSHD_OPTS"),
    ("/etc/sysconfig/ssh", "SSHD_OPTS"),
    ("/etc/conf.d/sshd", "SSHD_OPTS"),
    ("/etc/crypto-policies/back-ends/opensshserver.config", "CRYPTO_POLICY"),
    ("/etc/sysconfig/sshd", "CRYPTO_POLICY"),
    ("/etc/sysconfig/sshd", "OPTIONS"),
)
PID_FILES = ("/run/sshd.pid", "/var/run/sshd.pid")
# Where sshd may want an empty folder. Its own unit or script makes it, but starts after lightinit.
_RUN_FOLDERS = ("/run/sshd", "/var/run/sshd")


class Sshd(SshServer):
    """OpenSSH's sshd."""

    name = "sshd"
    keygen = "ssh-keygen"
    services = ("ssh", "sshd")
    files = tuple(path for path, _ in OPTION_FILES)

    def is_there(self, system: System) -> bool:
        """Whether sshd or its configuration exists. In a scratch root only files can be found."""
        return system.tool("sshd") is not None or self.find_config(system) is not None

    def find_config(self, system: System) -> Optional[str]:
        """The administrator's sshd_config, else the vendor's, else None."""
        return config_files.find_config(system)

    def can_be_configured(self, system: System) -> bool:
        """Whether its configuration exists and, on a live machine, sshd."""
        if system.live and system.tool("sshd") is None:
            return False
        return self.find_config(system) is not None

    def effective(self, system: System, connection: LoginAttempt) -> Printed:
        """The output of ``sshd -T`` for a login. Without host keys it prints nothing.

        If a Match block needs a value that ``-C`` lacks, sshd refuses to answer. So ``-C`` gets all
        values.
        """
        words = _spec(connection)
        said = ""
        while words:
            spec = ",".join("%s=%s" % item for item in words.items())
            ended = _ask(system, "-T", "-C", spec, *_service_options(system))
            if ended is None:
                return Printed()
            if ended.ok:
                return Printed(ended.stdout)
            said = ended.last_words
            # Older ones do not know all words: laddr and lport came with 6.1, rdomain with 7.7.
            unknown = re.search(
                r"^Invalid test mode specification (\w+)=", ended.stderr, re.MULTILINE
            )
            if unknown is None or words.pop(unknown.group(1), None) is None:
                break
        LOG.info("sshd does not print its configuration: %s", said)
        return Printed(said=said)

    def find_fault(self, system: System) -> str:
        """The errors that ``sshd -t`` finds in sshd's current configuration."""
        return _find_fault(_ask(system, "-t"))

    def find_fault_in(self, system: System, text: str) -> str:
        """The errors that ``sshd -t`` finds in another sshd_config."""
        if system.tool("sshd") is None:
            return ""
        with candidate(system, "/etc/ssh/sshd_config", text, 0o600) as place:
            return _find_fault(_ask(system, "-t", "-f", system.path(place)))

    def list_refused(self, system: System, keys: Sequence[str]) -> Dict[str, str]:
        """Those of some private host keys that ``sshd -t`` cannot load, each with the reason: its
        version may not know the type, and its configuration may demand longer keys.
        """
        real = {system.path(key): key for key in keys}
        options = [word for path in real for word in ("-h", path)]
        ended = _ask(system, "-t", *options)
        refused: Dict[str, str] = {}
        if ended is not None:
            for line in ended.stderr.splitlines():
                for path, key in real.items():
                    before, found, after = line.partition(path)
                    if found:
                        refused.setdefault(key, after.strip('": ') or before.strip('": '))
        return refused

    def reload(self, system: System, is_sound: Callable[[], bool] = lambda: False) -> str:
        """Send SIGHUP to a running sshd, if its configuration has no errors."""
        pid = _find_pid(system)
        if not pid or system.read_text("/proc/%s/comm" % pid).strip() != "sshd":
            return ""
        sshd = system.tool("sshd")
        if sshd is not None and not is_sound():
            try:
                ended = system.run([sshd, "-t"], timeout_s=LIMIT_S)
            except ProvisioningError as error:
                return str(error)
            if not ended.ok:
                # sshd would exit instead of reloading.
                return "sshd finds fault with its configuration: %s" % ended.last_words
        try:
            os.kill(int(pid), signal.SIGHUP)
        except OSError as error:
            return error.strerror or str(error)
        LOG.info("told sshd (process %s) to read its configuration and host keys again", pid)
        return ""


def _service_options(system: System) -> List[str]:
    """The options with which the init system starts sshd, if they change its configuration."""
    values: Dict[str, str] = {}
    for path, name in OPTION_FILES:
        pattern = r"^[ \t]*(?:export[ \t]+)?%s=(.*)$" % name
        for value in re.findall(pattern, system.read_text(path), re.MULTILINE):
            values[name] = value
    if not any(value.strip() for value in values.values()):
        return []
    import shlex

    found: List[str] = []
    for value in values.values():
        try:
            words = " ".join(shlex.split(value, comments=True)).split()
        except ValueError:
            continue  # an unclosed quote
        for at, word in enumerate(words):
            if word in ("-o", "-p") and at + 1 < len(words):
                found.append(word + words[at + 1])
            elif re.fullmatch(r"-[46]|-[op].+", word):
                found.append(word)
    return found


def _spec(connection: LoginAttempt) -> Dict[str, str]:
    words = {"user": connection.user, "host": connection.address, "addr": connection.address}
    if connection.local_address:
        words["laddr"] = connection.local_address
    words["lport"] = str(connection.local_port)
    words["rdomain"] = ""  # as for a connection outside all of them
    return words


def _ask(system: System, *options: str) -> Optional[Completed]:
    """Run sshd with options that make it end at once (``-t``, ``-T``); None without sshd."""
    sshd = system.tool("sshd")
    if sshd is None:
        return None
    argv = [sshd] + list(options)
    _make_run_folder(system, sshd)
    ended = system.run(argv, timeout_s=LIMIT_S)
    if ended.ok:
        return ended
    lacks = re.search(
        r"^Missing privilege separation directory: (/(?:var/)?run/[\w.-]+)\s*$",
        ended.stderr,
        re.MULTILINE,
    )
    if lacks:
        system.make_dir(lacks.group(1))
        ended = system.run(argv, timeout_s=LIMIT_S)
    return ended


def _make_run_folder(system: System, sshd: str) -> None:
    """Make the folder that this sshd wants, if it is missing: the program has its path."""
    missing = [path for path in _RUN_FOLDERS if not system.exists(path)]
    if not missing:
        return
    for path in missing:
        if _has_string(system.path(sshd), path):
            system.make_dir(path)
            return


def _has_string(program: str, text: str) -> bool:
    """Whether a program has a constant. A wrapper in another language has none."""
    wanted = b"\0%s\0" % text.encode()
    seen = b""
    try:
        with open(program, "rb") as handle:
            while wanted not in seen:
                data = handle.read(CHUNK_BYTES)
                if not data:
                    return False
                seen = seen[-len(wanted) :] + data
    except OSError as error:
        LOG.debug("%s is not read: %s", program, error)
        return False
    return True


def _find_fault(ended: Optional[Completed]) -> str:
    # sshd reads its whole configuration before it looks for host keys. So if it complains about
    # missing keys, the configuration has no errors.
    if ended is None or ended.ok:
        return ""
    if re.search(r"^sshd: no hostkeys available -- exiting\.\s*$", ended.stderr, re.MULTILINE):
        return ""
    # It also prints a line for a deprecated option, and for an unsupported one, which it ignores.
    harmless = re.compile(r"(?i)\b(?:deprecated|unsupported) option\b|: terminating, ")
    lines = [
        line.strip()
        for line in ended.stderr.splitlines()
        if line.strip() and not harmless.search(line)
    ]
    return "; ".join(lines[:MAX_LINES]) or ended.last_words


def _find_pid(system: System) -> str:
    for path in PID_FILES:
        pid = read_digits(system.read_text(path).strip(), PID_MOST)
        if pid:
            return str(pid)
    return ""
