"""Writes the files of rsyslog that a cloud-config asks for, and has rsyslog read them.

A file that rsyslog rejects is left out, and told: with it, rsyslog might not start.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.tools import has_tool
from lightinit.host.files.candidate import candidate
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.init.service_control import restart_service
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

MAIN = "/etc/rsyslog.conf"
LIMIT_S = 30.0


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the files.

    Args:
        instance: not used.
        system: the machine.
        settings: ``syslog``, as the reader of cloud-configs gives it.

    Returns:
        How many there are; a warning for each that is rejected, and if rsyslog is not there.

    Raises:
        ProvisioningError: a file could not be read or written.
    """
    given = settings.get("syslog")
    if given is None:
        return Outcome("rsyslog left as it is", skipped=True)
    warnings: List[str] = []
    if not has_tool(system, "rsyslogd"):
        warnings.append("rsyslog is not installed: add it to the cloud-config's `packages`")
    changed = kept = 0
    for name, text in _files(given).items():
        path = "%s/%s" % (given.folder.rstrip("/"), name)
        if read_text_file(system, path) == text:
            kept += 1
            continue
        fault = _find_fault(system, path, text)
        if fault:
            warnings.append("%s is left as it was: rsyslog rejects it: %s" % (path, fault))
            continue
        write_text_file(system, path, text)
        restore_labels(system, [path])
        changed += 1
    if changed:
        failed = _reload(system, given.command)
        if failed:
            warnings.append(failed)
    message = "%d files of rsyslog in %s" % (changed + kept, given.folder)
    return Outcome(message, tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.services import read_services

    given = read_services(values)[0].syslog
    if given is None:
        return {}
    return {"syslog": given}


def _files(given: Any) -> Dict[str, str]:
    """The text of each file, by name."""
    found: Dict[str, str] = {}
    for name, text in given.files:
        found[name] = found.get(name, "") + text.rstrip("\n") + "\n"
    if given.remotes:
        lines = ["%s # %s\n" % (target, " ".join(name.split())) for name, target in given.remotes]
        text = "# begin remotes\n%s# end remotes\n" % "".join(lines)
        found[given.usual] = found.get(given.usual, "") + text
    return found


def _find_fault(system: System, path: str, text: str) -> str:
    """What rsyslogd says against a file, in the middle of the host's other files; "" if nothing."""
    program = system.tool("rsyslogd")
    if program is None:
        return ""
    try:
        main = read_text_file(system, MAIN) or ""
        with_it = _check(system, program, path, main + "\n" + text)
        if with_it and not _check(system, program, path, main):
            return with_it
    except ProvisioningError as error:
        return str(error)
    return ""


def _check(system: System, program: str, path: str, text: str) -> str:
    with candidate(system, path, text, 0o600) as place:
        ended = system.run([program, "-N1", "-f", place], timeout_s=LIMIT_S)
    if ended.ok:
        return ""
    lines = [line for line in ended.stderr.split("\n") if place in line]
    return (lines or [ended.last_words])[0].replace(place, path)[:300]


def _reload(system: System, command: Tuple[str, ...]) -> str:
    """Have rsyslog read its files. Returns "", or why it does not."""
    if not command:
        return restart_service(system, ["rsyslog", "rsyslogd"], start=False)
    if not system.live:
        system.skip("service_reload_command")
        return ""
    argv = list(command)
    if len(argv) == 1 and " " in argv[0].strip():
        argv = ["/bin/sh", "-c", argv[0]]
    program = argv[0]
    if "/" not in program:
        program = system.tool(program) or ""
    if not program:
        return "service_reload_command is not done: there is no %s" % argv[0]
    try:
        ended = system.run([program, *argv[1:]], timeout_s=LIMIT_S)
    except ProvisioningError as error:
        return "service_reload_command failed: %s" % error
    if ended.ok:
        return ""
    return "service_reload_command failed: %s" % ended.last_words
