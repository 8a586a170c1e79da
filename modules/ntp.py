"""Gives the host's NTP client the time servers that a cloud-config names, and starts it anew.

It installs no client: the module packages, which runs before, does that. The client's own file is
edited, so that the clock of the hypervisor, /dev/ptp_hyperv, stays a source of time.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.services import time_servers
from lightinit.formats.services.time_servers import TimeServers
from lightinit.host.accounts.tools import has_tool
from lightinit.host.files.candidate import candidate
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.init import systemd
from lightinit.host.init.init_system import Service
from lightinit.host.init.init_systems import is_started
from lightinit.host.init.service_control import restart_service
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

CHECK_LIMIT_S = 10.0
JINJA = "## template:jinja"
ALPINE_OPTIONS = "/etc/conf.d/ntpd"


class Client(NamedTuple):
    """An NTP client.

    Attributes:
        name: its name in a cloud-config.
        programs: its programs; a path, or a name that is looked for.
        files: the possible paths of its configuration. The first that exists counts, else the first
            whose folder does, else the last.
        services: the names of its service.
        edit: makes the new text of its file.
        check: the options with which it checks the file after them; none if it cannot.
        start: the text of a file that is not there yet.
        needs: a file that must be there, since another client has the same program.
    """

    name: str
    programs: Tuple[str, ...]
    files: Tuple[str, ...]
    services: Tuple[str, ...]
    edit: time_servers.Edit
    check: Tuple[str, ...] = ()
    start: str = ""
    needs: Tuple[str, ...] = ()


CHRONY_START = (
    "driftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n"
    "refclock PHC /dev/ptp_hyperv poll 3 dpoll -2 offset 0\n"
)
CLIENTS: Tuple[Client, ...] = (
    Client(
        "chrony",
        ("chronyd",),
        ("/etc/chrony/chrony.conf", "/etc/chrony.conf"),
        ("chrony", "chronyd"),
        time_servers.edit_chrony,
        ("-p", "-f"),
    ),
    Client(
        "systemd-timesyncd",
        ("/usr/lib/systemd/systemd-timesyncd", "/lib/systemd/systemd-timesyncd"),
        ("/etc/systemd/timesyncd.conf.d/lightinit.conf",),
        ("systemd-timesyncd",),
        time_servers.write_timesyncd,
    ),
    Client(
        "openntpd",
        ("ntpd", "openntpd"),
        ("/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"),
        ("openntpd", "ntpd"),
        time_servers.edit_openntpd,
        ("-n", "-f"),
        needs=("/etc/openntpd/ntpd.conf", "/etc/ntpd.conf"),
    ),
    Client(
        "ntp",
        ("ntpd",),
        ("/etc/ntpsec/ntp.conf", "/etc/ntp.conf"),
        ("ntpsec", "ntp", "ntpd", "isc-ntpd"),
        time_servers.edit_ntp,
        needs=("/etc/ntpsec/ntp.conf", "/etc/ntp.conf"),
    ),
    Client(
        "busybox",
        ("ntpd", "busybox"),
        ("/etc/ntp.conf",),
        ("ntpd", "busybox-ntpd"),
        time_servers.edit_busybox,
    ),
)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Configure the NTP client.

    Args:
        instance: not used.
        system: the machine.
        settings: ``ntp``, as the reader of cloud-configs gives it.

    Returns:
        The client and its servers; a warning if there is no client, or it does not restart.

    Raises:
        ProvisioningError: its file could not be read or written, or the client rejects it.
    """
    given = settings.get("ntp")
    if given is None or not given.enabled:
        return Outcome("time servers left as they are", skipped=True)
    client = _choose(system, given)
    program = given.config.program or (client.programs[0] if client else given.client)
    if client is None or not _has_program(system, program, client):
        return Outcome("time servers left as they are", (_lacking(given, client),))
    wanted = TimeServers(given.servers, given.pools, given.peers, given.allow)
    warnings: List[str] = []
    path = given.config.path or _find_file(system, client)
    where = ""
    if given.config.template:
        text = _render(given.config.template, wanted)
        _write(system, client, path, text, keep_old=True)
        where = " (%s)" % path
    elif not wanted.is_empty:
        where = " (%s)" % _edit(system, client, path, wanted)
        _note_unsupported(client, wanted, warnings)
    services = client.services
    if given.config.service:
        services = (given.config.service,)
    failed = restart_service(system, services)
    if failed:
        warnings.append(failed)
    names = ", ".join((*wanted.servers, *wanted.pools, *wanted.peers)) or "its own servers"
    return Outcome("%s asks %s%s" % (client.name, names, where), tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.clock import read_clock

    given = read_clock(values)[0].ntp
    if not given.is_given:
        return {}
    return {"ntp": given}


# -- which client
# --------------------------------------------------------------------------------------------------


def _choose(system: System, given: Any) -> Optional[Client]:
    """The client that is asked for; by itself the one that starts at boot, else the first that is
    installed.
    """
    if given.client != "auto":
        name = given.client
        if name == "ntp" and _is_busybox(system):
            name = "busybox"  # so cloud-init means it, too
        for client in CLIENTS:
            if client.name == name:
                return client
        # Somebody's own client, with a file of its own.
        config = given.config
        return Client(
            given.client, (config.program or given.client,), (config.path,), (given.client,), _leave
        )
    there = [client for client in CLIENTS if _is_there(system, client)]
    started = [client for client in there if _starts_at_boot(system, client)]
    return next(iter(started + there), None)


def _leave(text: str, _wanted: TimeServers) -> str:
    return text


def _starts_at_boot(system: System, client: Client) -> bool:
    units = tuple(name + ".service" for name in client.services)
    if is_started(system, Service(units, client.services)):
        return True
    return any(system.exists("/var/service/" + name) for name in client.services)


def _is_there(system: System, client: Client) -> bool:
    if client.needs and not any(system.exists(path) for path in client.needs):
        return False
    if client.name in ("ntp", "openntpd", "busybox"):
        is_busybox = _is_busybox(system)
        if is_busybox is None or is_busybox != (client.name == "busybox"):
            return False
    return _has_program(system, client.programs[0], client)


def _is_busybox(system: System) -> Optional[bool]:
    """Whether ntpd is busybox's; None if there is none."""
    for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin"):
        path = "%s/ntpd" % folder
        if system.exists(path):
            return os.path.basename(system.path(path)).startswith("busybox")
    return None


def _has_program(system: System, program: str, client: Client) -> bool:
    for each in (program, *client.programs[1:]):
        if each.startswith("/") and system.exists(each):
            return True
        if not each.startswith("/") and has_tool(system, each):
            return True
    return False


def _lacking(given: Any, client: Optional[Client]) -> str:
    packages = given.config.packages or (given.client,)
    if client is None or given.client == "auto":
        packages = ("chrony",)
    said = "no NTP client is installed"
    if client is not None:
        said = "the NTP client %s is not installed" % client.name
    return "%s: add to the cloud-config: packages: [%s]" % (said, ", ".join(packages))


# -- its file
# --------------------------------------------------------------------------------------------------


def _find_file(system: System, client: Client) -> str:
    """Its file: the one that its unit names; else the first that is there; else the one in a folder
    of the client's own, if that is there.
    """
    found = _named_by_unit(system, client)
    found += [path for path in client.files if system.exists(path)]
    folders = [os.path.dirname(path) for path in client.files]
    found += [
        path
        for path, folder in zip(client.files, folders)
        if folder != "/etc" and system.is_dir(folder)
    ]
    return next(iter(found), client.files[-1])


def _named_by_unit(system: System, client: Client) -> List[str]:
    """The file after ``-f`` in the unit, as on NixOS."""
    for name in client.services:
        for folder in systemd.UNIT_FOLDERS:
            text = system.read_text("%s/%s.service" % (folder, name))
            command = re.search(r"(?m)^ExecStart=(.*)$", text)
            if command is None or not client.check:
                continue
            found = re.search(r"[ \t]-f[ \t]*(/[^ \t]+)", command.group(1))
            if found is not None:
                return [found.group(1)]
    return []


def _edit(system: System, client: Client, path: str, wanted: TimeServers) -> str:
    """Edit the client's file. Returns its path."""
    if client.name == "busybox" and system.exists(ALPINE_OPTIONS):
        before = read_text_file(system, ALPINE_OPTIONS) or ""
        after = time_servers.edit_options(before, wanted)
        if after != before or "-p" in before:
            _write(system, client, ALPINE_OPTIONS, after)
            return ALPINE_OPTIONS
    before_there = read_text_file(system, path)
    before = before_there or ""
    if before_there is None and client.name == "chrony":
        before = CHRONY_START
        if not system.exists("/dev/ptp_hyperv"):
            before = before[: before.index("refclock")]
    _write(system, client, path, client.edit(before, wanted))
    return path


def _note_unsupported(client: Client, wanted: TimeServers, warnings: List[str]) -> None:
    if wanted.allow and client.name != "chrony":
        text = "`allow` has no effect with %s; write its file by `write_files`"
        warnings.append(text % client.name)


def _render(template: str, wanted: TimeServers) -> str:
    head, _, rest = template.partition("\n")
    if "".join(head.split()) != "".join(JINJA.split()):
        return template.rstrip("\n") + "\n"
    from lightinit.host.scripts.template import render_template

    variables = {key: list(value) for key, value in zip(wanted._fields, wanted)}
    return render_template(rest, variables).text.rstrip("\n") + "\n"


def _write(system: System, client: Client, path: str, text: str, keep_old: bool = False) -> None:
    """Write the file, once the client has found no fault with it."""
    before = read_text_file(system, path)
    if before == text:
        return
    _check(system, client, path, text)
    if before is not None and keep_old and not system.exists(path + ".dist"):
        write_text_file(system, path + ".dist", before)
    write_text_file(system, path, text)
    restore_labels(system, [path])


def _check(system: System, client: Client, path: str, text: str) -> None:
    """Let the client check a file before it gets its name.

    Raises:
        ProvisioningError: it finds fault with it.
    """
    program = system.tool(client.programs[0]) if client.check else None
    if program is None:
        return
    with candidate(system, path, text, 0o644) as place:
        ended = system.run([program, *client.check, place], timeout_s=CHECK_LIMIT_S)
    if ended.ok:
        return
    with candidate(system, path, "", 0o644) as place:
        empty = system.run([program, *client.check, place], timeout_s=CHECK_LIMIT_S)
    if empty.last_words == ended.last_words:
        return  # it cannot check files: an older one does not know the options
    raise ProvisioningError(
        "ntp client rejects its configuration",
        client=client.name,
        path=path,
        said=ended.last_words.replace(place, path),
        hint="correct `ntp` in the cloud-config; the file is as it was",
    )
