"""Makes an Instance from the tree of values and the user data. It knows the names, and no HTTP.

Source: AWS's documentation, "Instance metadata categories".
"""

from __future__ import annotations

import base64
import re
from typing import Any, Tuple

from lightinit.formats.ec2.tree import KEYS, Tree, find_text
from lightinit.formats.hostname import short_names_first
from lightinit.model import Instance, SshKey


def instance_from_tree(
    tree: Tree, instance_id: str, user_data: bytes = b"", subplatform: str = ""
) -> Instance:
    """The Instance that the values describe.

    Args:
        tree: the values below meta-data/, folders as dictionaries.
        instance_id: goes into the instance.
        user_data: as the service gives it.
        subplatform: where the values came from.
    """
    zone = find_text(tree, "placement", "availability-zone")
    tags = tree.get("tags", {})
    found = tags.get("instance", {}) if isinstance(tags, dict) else {}
    return Instance(
        instance_id,
        platform="ec2",
        hostnames=_hostnames(tree),
        vm_id=find_text(tree, "instance-id"),
        location=find_text(tree, "placement", "region") or _region_of(zone),
        zone=zone,
        vm_size=find_text(tree, "instance-type"),
        tags={key: _as_text(found[key]) for key in found} if isinstance(found, dict) else {},
        user_data=base64.b64encode(user_data).decode("ascii"),
        raw={"meta_data": tree},
        public_keys=read_keys(tree),
        subplatform=subplatform,
    )


def read_keys(tree: Tree) -> Tuple[SshKey, ...]:
    """The public keys, in the order of the service."""
    keys = tree.get(KEYS, {})
    texts = [_as_text(keys[name]) for name in keys] if isinstance(keys, dict) else []
    return tuple(SshKey(text) for text in texts if text.strip())


def _hostnames(tree: Tree) -> Tuple[str, ...]:
    """The names, best first. With several domains in its DHCP options, a VPC gives several names in
    one value.
    """
    values = [find_text(tree, key).split() for key in ("local-hostname", "hostname")]
    return short_names_first(words[0] for words in values if words)


def _region_of(zone: str) -> str:
    """The region of an availability zone such as eu-central-1a, which is the zone without its
    letter. Older services do not give it. A local zone (us-west-2-lax-1a) has another form.
    """
    if re.match(r"[a-z]+-[a-z]+-[0-9]+[a-z]\Z", zone):
        return zone[:-1]
    return ""


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    return value if isinstance(value, str) else ""
