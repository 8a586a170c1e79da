"""Nova's metadata of one VM as files: path below the root -> content. A config drive has them as
they are; the metadata service answers with them.

Source: Nova's user guide, "Metadata", and the admin guides "Metadata service", "Config drives" and
"Vendordata". Not documented there, and as in Nova's code: which file came in which version.
"""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import Any, Dict, List, Mapping, Tuple

from lightinit.emulator.errors import EmulatorError

LATEST = "latest"
GRIZZLY, HAVANA, LIBERTY, NEWTON_ONE, NEWTON_TWO = (
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
)
VERSIONS = (
    "2012-08-10",
    GRIZZLY,
    HAVANA,
    LIBERTY,
    NEWTON_ONE,
    NEWTON_TWO,
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
)
EC2_VERSIONS = ("2009-04-04", LATEST)
USER_DATA_MOST_BYTES = 65535
SEED_BYTES = 512
DHCP = {
    "links": [
        {
            "id": "tapcd9f6d46-4a",
            "vif_id": "cd9f6d46-4a3a-43ab-a466-994af9db96fc",
            "type": "bridge",
            "mtu": None,
            "ethernet_mac_address": "fa:16:3e:9c:bf:3d",
        }
    ],
    "networks": [
        {
            "id": "network0",
            "type": "ipv4_dhcp",
            "link": "tapcd9f6d46-4a",
            "network_id": "99e88329-f20d-4741-9593-25bf07847b16",
        }
    ],
    "services": [{"type": "dns", "address": "8.8.8.8"}],
}
# What a VM has unless its owner or its operator says otherwise.
DEFAULTS: Dict[str, Any] = {
    "hostname": "vm1.novalocal",
    "name": "vm1",
    "launch_index": 0,
    "availability_zone": "nova",
    "project_id": "f7ac731cc11f40efbc03a9f9e1d1d21f",
    "devices": [],
    "meta": {},
    "public_keys": {},
    "user_data": "",
    "vendor_data": {},
    "vendor_data2": {},
    "network_data": DHCP,
    "files": {},
    "admin_pass": "",
}


def fill_in(instance: Mapping[str, Any]) -> Dict[str, Any]:
    """The whole description of a VM.

    Args:
        instance: parts of it. Besides the keys of meta_data.json: ``user_data``, ``vendor_data``,
            ``vendor_data2``, ``network_data``, and ``files``, which has each path's content.

    Raises:
        EmulatorError: Nova would refuse it.
    """
    whole = {"uuid": str(uuid.uuid4()), **DEFAULTS, **instance}
    unknown = sorted(set(whole) - {"uuid", *DEFAULTS})
    if unknown:
        raise EmulatorError(
            "a VM of OpenStack has no %r; it has: %s" % (unknown[0], ", ".join(sorted(DEFAULTS)))
        )
    if len(_bytes(whole["user_data"])) > USER_DATA_MOST_BYTES:
        raise EmulatorError("user data are longer than %d bytes" % USER_DATA_MOST_BYTES)
    return whole


def make_tree(instance: Mapping[str, Any], is_drive: bool = False) -> Dict[str, bytes]:
    """All files of a VM's metadata.

    Args:
        instance: as :func:`fill_in` gives it.
        is_drive: whether they are for a config drive. Only it has the password, and the files that
            were given with the VM.
    """
    found: Dict[str, bytes] = {}
    files = instance["files"].items() if is_drive else ()
    for number, (_, content) in enumerate(files):
        found["openstack/content/%04d" % number] = _bytes(content)
    for version in (*VERSIONS, LATEST):
        for name, content in _files_of(instance, version, is_drive):
            found["openstack/%s/%s" % (version, name)] = content
    for version in EC2_VERSIONS:
        if is_drive:
            found["ec2/%s/meta-data.json" % version] = _json(make_ec2(instance))
            if instance["user_data"]:
                found["ec2/%s/user-data" % version] = _bytes(instance["user_data"])
    return found


def make_ec2(instance: Mapping[str, Any]) -> Dict[str, Any]:
    """The EC2-compatible metadata, as far as agents ask for them."""
    found: Dict[str, Any] = {
        "ami-id": "ami-00000001",
        "ami-launch-index": instance["launch_index"],
        "hostname": instance["hostname"],
        "instance-id": "i-00000001",
        "instance-type": "m1.small",
        "local-hostname": instance["hostname"],
        "local-ipv4": "192.0.2.10",
        "placement": {"availability-zone": instance["availability_zone"]},
    }
    keys = list(instance["public_keys"].items())
    if keys:
        found["public-keys"] = {
            str(number): {"_name": "%d=%s" % (number, name), "openssh-key": key}
            for number, (name, key) in enumerate(keys)
        }
    return found


def _files_of(instance: Mapping[str, Any], version: str, is_drive: bool) -> List[Tuple[str, bytes]]:
    found = [("meta_data.json", _json(_meta_data(instance, version, is_drive)))]
    if instance["user_data"]:
        found.append(("user_data", _bytes(instance["user_data"])))
    if _has(version, HAVANA):
        found.append(("vendor_data.json", _json(instance["vendor_data"])))
    if _has(version, LIBERTY):
        found.append(("network_data.json", _json(instance["network_data"])))
    if _has(version, NEWTON_TWO):
        found.append(("vendor_data2.json", _json(instance["vendor_data2"])))
    return found


def _meta_data(instance: Mapping[str, Any], version: str, is_drive: bool) -> Dict[str, Any]:
    found = {
        key: instance[key]
        for key in ("uuid", "hostname", "name", "launch_index", "availability_zone")
    }
    if instance["meta"]:
        found["meta"] = instance["meta"]
    if instance["public_keys"]:
        found["public_keys"] = instance["public_keys"]
        found["keys"] = [
            {"name": name, "type": "ssh", "data": key}
            for name, key in instance["public_keys"].items()
        ]
    if is_drive and instance["files"]:
        found["files"] = [
            {"path": path, "content_path": "/content/%04d" % number}
            for number, path in enumerate(instance["files"])
        ]
    if is_drive and instance["admin_pass"]:
        found["admin_pass"] = instance["admin_pass"]
    if _has(version, GRIZZLY):
        found["random_seed"] = base64.b64encode(os.urandom(SEED_BYTES)).decode("ascii")
    if _has(version, LIBERTY):
        found["project_id"] = instance["project_id"]
    if _has(version, NEWTON_ONE):
        found["devices"] = instance["devices"]
    if _has(version, "2020-10-14"):
        found["dedicated_cpus"] = []
    return found


def _has(version: str, since: str) -> bool:
    return version == LATEST or version >= since


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8")


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else str(content).encode("utf-8")
