"""The values of one VM on EC2: meta-data/, user-data and dynamic/ as a tree, and their listings.

Knows no HTTP. Source: AWS's documentation, "Instance metadata categories" and "Instance identity
documents"; public listings of real VMs.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Dict, Mapping

Tree = Dict[str, Any]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE my-key"
# What is newer than the oldest version that is served: path -> the version that brought it.
INTRODUCED = {
    "tags": "2021-03-23",
    "placement/region": "2020-08-24",
    "identity-credentials": "2018-05-23",
}
_MAC = "02:29:96:8f:6a:2d"
_NAME = "ip-10-251-50-12.eu-central-1.compute.internal"

META_DATA: Tree = {
    "ami-id": "ami-0abcdef1234567890",
    "ami-launch-index": "0",
    "ami-manifest-path": "(unknown)",
    "block-device-mapping": {"ami": "/dev/xvda", "root": "/dev/xvda", "ebs2": "sdb"},
    "hostname": _NAME,
    "iam": {
        "info": '{\n  "Code" : "Success"\n}',
        "security-credentials": {"role": '{\n  "SecretAccessKey" : "emulated"\n}'},
    },
    "identity-credentials": {
        "ec2": {"security-credentials": {"ec2-instance": '{"SecretAccessKey": "emulated"}'}}
    },
    "instance-action": "none",
    "instance-id": "i-0598c7d356eba48d7",
    "instance-life-cycle": "on-demand",
    "instance-type": "t3.micro",
    "local-hostname": _NAME,
    "local-ipv4": "10.251.50.12",
    "mac": _MAC,
    "network": {
        "interfaces": {
            "macs": {
                _MAC: {
                    "device-number": "0",
                    "interface-id": "eni-098765432abcdef01",
                    "local-hostname": _NAME,
                    "local-ipv4s": "10.251.50.12",
                    "mac": _MAC,
                    "subnet-ipv4-cidr-block": "10.251.50.0/24",
                    "vpc-ipv4-cidr-blocks": "10.251.0.0/16\n10.252.0.0/16",
                }
            }
        }
    },
    "placement": {"availability-zone": "eu-central-1a", "region": "eu-central-1"},
    "profile": "default-hvm",
    "public-keys": {"my-key": KEY},
    "reservation-id": "r-0a1b2c3d4e5f60718",
    "security-groups": "default",
}


def merge(base: Any, change: Any) -> Any:
    """Return a copy of ``base`` with ``change`` merged into it; None removes a key."""
    if not isinstance(base, Mapping) or not isinstance(change, Mapping):
        return copy.deepcopy(change)
    made = {key: copy.deepcopy(value) for key, value in base.items()}
    for key, value in change.items():
        made[key] = merge(made.get(key), value)
        if value is None:
            del made[key]
    return made


def make_tree(instance: Mapping[str, Any], version: str) -> Tree:
    """Return what a version shows of a VM.

    Args:
        instance: ``meta-data``, merged into :data:`META_DATA`; ``user-data``, a text or bytes.
        version: such as ``2021-03-23``; ``latest`` for the newest.
    """
    metadata = merge(META_DATA, instance.get("meta-data", {}))
    for path, since in INTRODUCED.items():
        if version != "latest" and version < since:
            _remove(metadata, path.split("/"))
    made: Tree = {"dynamic": {"instance-identity": {"document": _identity(metadata)}}}
    made["meta-data"] = metadata
    if instance.get("user-data"):
        made["user-data"] = instance["user-data"]
    return made


def find(tree: Tree, path: str) -> Any:
    """Return the value or folder at a path, None if there is none.

    Keys are called by their numbers: ``public-keys/0/openssh-key``.
    """
    here: Any = tree
    words = [word for word in path.split("/") if word]
    if words[:2] == ["meta-data", "public-keys"] and len(words) > 2:
        return _find_key(tree["meta-data"].get("public-keys", {}), words[2:])
    for word in words:
        if not isinstance(here, dict) or word not in here:
            return None
        here = here[word]
    return here


def list_folder(folder: Tree, is_keys: bool) -> str:
    """Return a folder's listing: a name on each line, and a slash after folders."""
    if is_keys:
        return "\n".join("%d=%s" % pair for pair in enumerate(folder))
    return "\n".join(
        name + ("/" if isinstance(folder[name], dict) else "") for name in sorted(folder)
    )


def _find_key(keys: Tree, words: Any) -> Any:
    texts = list(keys.values())
    if not words[0].isdecimal() or int(words[0]) >= len(texts):
        return None
    if len(words) == 1:
        return {"openssh-key": texts[int(words[0])]}
    return texts[int(words[0])] if words[1:] == ["openssh-key"] else None


def _remove(tree: Tree, words: Any) -> None:
    for word in words[:-1]:
        tree = tree.get(word, {})
    tree.pop(words[-1], None)


def _identity(metadata: Tree) -> str:
    placement = metadata.get("placement", {})
    document = {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": placement.get("availability-zone"),
        "imageId": metadata.get("ami-id"),
        "instanceId": metadata.get("instance-id"),
        "instanceType": metadata.get("instance-type"),
        "privateIp": metadata.get("local-ipv4"),
        "region": placement.get("region"),
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)
