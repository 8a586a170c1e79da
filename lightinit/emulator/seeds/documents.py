"""The files of a seed, as each platform's documentation has them.

Sources: cloud-init's documentation, "NoCloud" and "Config drive"; OpenStack's, "Config drives" and
"Metadata". They share no code with the agent.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from lightinit.emulator.errors import EmulatorError

HOST_NAME = "lightinit-vm"
LABELS = {"nocloud": "cidata", "configdrive": "config-2"}
FOLDER = "openstack"
VERSIONS = ("latest", "2018-08-27")


class SeedData(NamedTuple):
    """What a seed says.

    Attributes:
        user_data, vendor_data, network_config, meta_data: contents of files; None for no such file.
            With ``meta_data`` the values below are not used.
        instance_id: "" for one made of a checksum of the rest.
        host_name: "" for the default.
        ssh_keys: public keys.
        files: ConfigDrive only: path on the VM -> content.
    """

    user_data: Optional[bytes] = None
    vendor_data: Optional[bytes] = None
    network_config: Optional[bytes] = None
    meta_data: Optional[bytes] = None
    instance_id: str = ""
    host_name: str = ""
    ssh_keys: Tuple[str, ...] = ()
    files: Mapping[str, bytes] = {}

    def checksum(self) -> str:
        """A checksum of all of it, in hex."""
        return hashlib.sha256(repr(self).encode("utf-8")).hexdigest()


def nocloud_files(data: SeedData) -> Dict[str, bytes]:
    """The files of a NoCloud seed. Both user-data and meta-data are always there.

    Raises:
        EmulatorError: NoCloud cannot say that.
    """
    if data.files:
        raise EmulatorError("NoCloud has no files besides its own: write them in the user data")
    meta_data = data.meta_data
    if meta_data is None:
        values: Dict[str, Any] = {
            "instance-id": data.instance_id or "iid-" + data.checksum()[:12],
            "local-hostname": data.host_name or HOST_NAME,
        }
        if data.ssh_keys:
            values["public-keys"] = list(data.ssh_keys)
        meta_data = _as_json(values)
    found = {"meta-data": meta_data, "user-data": data.user_data or b""}
    if data.vendor_data is not None:
        found["vendor-data"] = data.vendor_data
    if data.network_config is not None:
        found["network-config"] = data.network_config
    return found


def configdrive_files(data: SeedData) -> Dict[str, bytes]:
    """The files of a ConfigDrive, in each version's folder.

    Raises:
        EmulatorError: a document is no JSON object, or the instance's id is no UUID.
    """
    meta_data = _read_object(data.meta_data, "--meta-data") or _make_meta_data(data)
    found: Dict[str, bytes] = {}
    for number, (path, content) in enumerate(sorted(data.files.items())):
        name = "content/%04d" % number
        meta_data.setdefault("files", []).append({"content_path": "/" + name, "path": path})
        found["%s/%s" % (FOLDER, name)] = content
    documents = {"meta_data.json": _as_json(meta_data)}
    if data.user_data is not None:
        documents["user_data"] = data.user_data
    documents["vendor_data.json"] = _as_json(_vendor_data(data.vendor_data))
    network = _read_object(data.network_config, "--network-config")
    documents["network_data.json"] = _as_json(
        network or {"links": [], "networks": [], "services": []}
    )
    for version in VERSIONS:
        for name, content in documents.items():
            found["%s/%s/%s" % (FOLDER, version, name)] = content
    return found


def _make_meta_data(data: SeedData) -> Dict[str, Any]:
    name = data.host_name or HOST_NAME
    given = data.instance_id or data.checksum()[:32]
    try:
        instance_id = str(uuid.UUID(given))
    except ValueError:
        raise EmulatorError(
            "--instance-id %s is no UUID, which a ConfigDrive needs; `uuidgen` makes one" % given
        ) from None
    values: Dict[str, Any] = {
        "uuid": instance_id,
        "hostname": name,
        "name": name.partition(".")[0],
        "launch_index": 0,
        "availability_zone": "nova",
    }
    if data.ssh_keys:
        names = ["key-%d" % number for number in range(len(data.ssh_keys))]
        values["public_keys"] = dict(zip(names, data.ssh_keys))
        values["keys"] = [
            {"name": key_name, "type": "ssh", "data": key}
            for key_name, key in values["public_keys"].items()
        ]
    return values


def _vendor_data(data: Optional[bytes]) -> Dict[str, Any]:
    """OpenStack's vendor data are JSON; what is for cloud-init is under its name."""
    if data is None:
        return {}
    try:
        found = json.loads(data.decode("utf-8"))
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    try:
        return {"cloud-init": data.decode("utf-8")}
    except UnicodeDecodeError:
        raise EmulatorError("--vendor-data: the file is neither JSON nor UTF-8 text") from None


def _read_object(data: Optional[bytes], option: str) -> Dict[str, Any]:
    if data is None:
        return {}
    try:
        found = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise EmulatorError(
            "%s: the file is no JSON, as a ConfigDrive has it: %s" % (option, error)
        ) from None
    if not isinstance(found, dict):
        raise EmulatorError("%s: the file is no JSON object" % option)
    return found


def _as_json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode("ascii")
