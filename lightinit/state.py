"""The files for later stages and later boots: plain JSON below /var/lib/lightinit and
/run/lightinit.

It decides nothing. It knows the paths, and it writes secrets only to files that only root can read.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Dict, List, Mapping, Optional

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.instance_id import same_instance
from lightinit.formats.records import read_list, read_record, to_data
from lightinit.formats.secrets import REDACTED
from lightinit.host.clock import Clock
from lightinit.host.system import System
from lightinit.model import (
    NETWORK_KEYS,
    Certificate,
    InjectedFile,
    Instance,
    Network,
    SshKey,
    User,
)

LOG = logging.getLogger("lightinit.state")

LIBRARY = "/var/lib/lightinit"
INSTANCES = LIBRARY + "/instances"
CURRENT = LIBRARY + "/instance"
STATUS = "/run/lightinit/status.json"
SECRETS = "/run/lightinit/secrets.json"
LOCK = "/run/lightinit/lock"
DISABLED = "/etc/lightinit/disabled"
ANCHORS = "anchors"  # what names the instance, if it is not DMI
DETECTION = "detection"  # how the datasource was found
FORMER_FILES = CURRENT + "/former-files.json"  # see files/former.py
INSTANCE_LIMIT_BYTES = 8 * 1024 * 1024


class Timeline:
    """How long each stage, module, request and command of one run took, in seconds since the run
    began.

    Args:
        clock: only its monotonic time is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began_s = clock.monotonic()
        self.entries: List[Dict[str, Any]] = []

    def add(
        self, kind: str, name: str, started_s: float, duration_s: float, result: str = ""
    ) -> None:
        """Note one entry.

        Args:
            kind: stage, module, request, command or wait.
            name: which one.
            started_s: monotonic seconds at its start.
            duration_s: seconds that it took.
            result: one word: how it ended.
        """
        self.entries.append(
            {
                "kind": kind,
                "name": name,
                "start_s": round(started_s - self.began_s, 6),
                "duration_s": round(duration_s, 6),
                "result": result,
            }
        )


class State:
    """The files of one instance.

    Args:
        system: the machine.
        instance_id: as :func:`find_instance` gives it.
    """

    def __init__(self, system: System, instance_id: str) -> None:
        self._system = system
        self.instance_id = instance_id
        self.folder = "%s/%s" % (INSTANCES, instance_id)

    def make_current(self) -> None:
        """Make this the instance that /var/lib/lightinit/instance points to.

        Raises:
            ProvisioningError: the directory or the link cannot be made.
        """
        self._system.make_dir(self.folder + "/sem")
        self._system.link(CURRENT, "instances/" + self.instance_id)

    def save(self, name: str, data: Any, mode: int = 0o644, durable: bool = True) -> None:
        """Write ``name``.json.

        Raises:
            ProvisioningError: it could not be written; the old file stays as it was.
        """
        path = "%s/%s.json" % (self.folder, name)
        self._system.write(path, _dump(data), mode, durable=durable, follow_last=False, waits=True)

    def save_document(self, name: str, content: bytes) -> None:
        """Save a document of the platform for operators. Only root can read it: it has no secrets,
        but nobody else needs it.

        Raises:
            ProvisioningError: it could not be written.
        """
        path = "%s/%s" % (self.folder, name)
        self._system.write(path, content, 0o600, durable=False, follow_last=False)

    def load(self, name: str) -> Optional[Any]:
        """Read ``name``.json; None if it is missing or damaged. A damaged file is logged."""
        return read_json(self._system, "%s/%s.json" % (self.folder, name), INSTANCE_LIMIT_BYTES)

    def load_names(self, name: str) -> List[str]:
        """The names that :meth:`save_names` has kept in ``name``.json; none if it is missing or
        damaged.
        """
        names = (self.load(name) or {}).get("modules")
        if not isinstance(names, list):
            return []
        return [str(each) for each in names]

    def save_names(self, name: str, modules: List[str]) -> None:
        """Keep the names of modules in ``name``.json, unless it has them.

        Raises:
            ProvisioningError: as :meth:`save`.
        """
        if modules != self.load_names(name):
            self.save(name, {"modules": modules})

    def save_network(self, network: Network) -> None:
        """Write network.json, for operators and for later commands of this boot. The next boot
        finds its own network.
        """
        data = {NETWORK_KEYS.get(name, name): value for name, value in network._asdict().items()}
        self.save("network", data, durable=False)

    def load_network(self) -> Optional[Network]:
        """What the local stage found, or None."""
        data = self.load("network")
        if data is None:
            return None
        names = {key: name for name, key in NETWORK_KEYS.items()}
        try:
            found = {names.get(key, key): value for key, value in data.items()}
            return read_record(Network, found, {}, ["warnings"])
        except ValueError as error:
            LOG.warning("%s/network.json is damaged (%s)", self.folder, error)
            return None

    def save_instance(self, instance: Instance, redact: Callable[[Any], Any]) -> None:
        """Write instance-public.json (0644), then instance.json (0600). The latter comes last,
        since lightinit reads only that.

        The admin's password and the certificates' private keys are never written to the disk. They
        go to /run until :meth:`forget_secrets`. A later boot that needs them must fetch them again.

        Args:
            instance: what the datasource said.
            redact: removes from a document what may be a secret, for the file that anybody can
                read.
        """
        secrets = _secrets_of(instance)
        everything = to_data(_without_secrets(instance))
        everything["secrets_apart"] = bool(secrets)
        public = dict(
            everything,
            user_data=REDACTED if instance.user_data else "",
            custom_data=REDACTED if instance.custom_data else "",
            vendor_data=REDACTED if instance.vendor_data else "",
            files=[dict(each, content=REDACTED) for each in everything["files"]],
        )
        self.save("instance-public", redact(public))
        if secrets:
            secrets["instance"] = self.instance_id
            try:
                self._system.write(SECRETS, _dump(secrets), 0o600, durable=False, follow_last=False)
            except ProvisioningError as error:
                # This process has them. Another one has to fetch them again.
                LOG.warning("the secrets are kept in this process only: %s", error)
        else:
            self._system.remove(SECRETS)
        self.save("instance", everything, mode=0o600)

    def load_instance(self, with_secrets: bool = False) -> Optional[Instance]:
        """The Instance that the fetch stage saved, or None if it is missing or damaged.

        Args:
            with_secrets: whether to return None also if its secrets are gone: a reboot empties
                /run.
        """
        data = self.load("instance")
        if data is None:
            return None
        try:
            apart = data.pop("secrets_apart", False) is not False
            instance = read_record(
                Instance,
                data,
                {
                    "admin": _read_admin,
                    "certificates": read_list(Certificate),
                    "public_keys": read_list(SshKey),
                    "files": read_list(InjectedFile),
                },
                ["admin", "hostnames"],
            )
        except ValueError as error:
            LOG.warning("%s/instance.json is damaged (%s); fetching it again", self.folder, error)
            return None
        if not apart:
            return instance
        secrets = read_json(self._system, SECRETS, INSTANCE_LIMIT_BYTES) or {}
        if secrets.get("instance") != self.instance_id:
            return None if with_secrets else instance
        return _with_secrets(instance, secrets)

    def forget_secrets(self) -> None:
        """Remove the secrets from /run: nobody needs them any more.

        Raises:
            ProvisioningError: the file is there and could not be removed.
        """
        self._system.remove(SECRETS)


def _read_admin(data: Any) -> Optional[User]:
    if data is None:
        return None
    return read_record(User, data, {"ssh_keys": read_list(SshKey)}, ["ssh_keys"])


def _secrets_of(instance: Instance) -> Dict[str, Any]:
    secrets: Dict[str, Any] = {}
    if instance.admin is not None and instance.admin.password:
        secrets["password"] = instance.admin.password
    keys = {each.thumbprint: each.key for each in instance.certificates if each.key}
    if keys:
        secrets["keys"] = keys
    return secrets


def _without_secrets(instance: Instance) -> Instance:
    admin = instance.admin
    if admin is not None:
        admin = admin._replace(password="", had_password=bool(admin.password))
    return instance._replace(
        admin=admin,
        certificates=tuple(
            each._replace(key="", had_key=bool(each.key)) for each in instance.certificates
        ),
    )


def _with_secrets(instance: Instance, secrets: Mapping[str, Any]) -> Instance:
    admin, keys = instance.admin, secrets.get("keys")
    if not isinstance(keys, dict):
        keys = {}
    if admin is not None:
        admin = admin._replace(password=str(secrets.get("password", "")), had_password=False)
    return instance._replace(
        admin=admin,
        certificates=tuple(
            each._replace(key=str(keys.get(each.thumbprint, "")), had_key=False)
            for each in instance.certificates
        ),
    )


def find_instance(system: System, instance_id: str) -> str:
    """The recorded id of the same instance, else ``instance_id``. Upper case and lower case mean
    the same, and so do both byte orders.
    """
    for recorded in system.list_dir(INSTANCES):
        if same_instance(recorded, instance_id):
            return recorded
    return instance_id


def current_instance(system: System) -> Optional[str]:
    """The id of the instance that was provisioned last, or None."""
    import os

    try:
        return os.path.basename(os.readlink(system.path(CURRENT, follow_last=False))) or None
    except OSError:
        return None


def read_json(system: System, path: str, limit_bytes: int = 1024 * 1024) -> Optional[Any]:
    """The object in a JSON file, or None if it is missing or damaged. A damaged file is logged."""
    try:
        data = json.loads(system.read(path, limit_bytes).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError, MalformedError) as error:
        LOG.warning("%s cannot be used: %s", path, getattr(error, "strerror", None) or error)
        return None
    if not isinstance(data, dict):
        LOG.warning("%s cannot be used: it is no JSON object", path)
        return None
    return data


class StatusFile:
    """The live progress in /run/lightinit/status.json. If it cannot be written, that is logged once
    and the boot goes on.

    Args:
        system: the machine.
        base: the keys that stay the same (pid, boot id, version, start).
    """

    def __init__(self, system: System, base: Mapping[str, Any]) -> None:
        self._system = system
        self._data: Dict[str, Any] = dict(base)
        self._broken = False

    def update(self, **changes: Any) -> None:
        """Change some keys and write the file."""
        self._data.update(changes)
        if self._broken:
            return
        try:
            self._system.write(STATUS, _dump(self._data), durable=False, follow_last=False)
        except LightinitError as error:
            self._broken = True
            LOG.warning(
                "progress cannot be written, so `lightinit status` will not show it: %s", error
            )


def _dump(data: Any) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8")
