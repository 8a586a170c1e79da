"""What the tree says, as an Instance.

Source: Nova's user guide, "Metadata".
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Dict, List, Mapping, Tuple

from lightinit.formats.hostname import short_names_first
from lightinit.formats.instance_id import describe_usable, make_usable, normalise_uuid
from lightinit.formats.nova.network_data import describe_unsupported
from lightinit.formats.nova.tree import Tree
from lightinit.formats.nova.vendor_data import join_vendor_data
from lightinit.model import InjectedFile, Instance, SshKey

# They are not kept with the document, which every user may read. The password is nobody's that
# lightinit knows of, as in cloud-init.
SECRETS = ("admin_pass", "random_seed")
SEED_MOST = 4096
PEM = "-----BEGIN"


def instance_id_of(meta_data: Mapping[str, Any]) -> str:
    """The instance id of meta_data.json: a UUID in lower case, or else as it is, if a folder can
    have that name.
    """
    uuid = str(meta_data["uuid"]).strip()
    return normalise_uuid(uuid) or make_usable(uuid)


def make_instance(
    instance_id: str, platform: str, subplatform: str, tree: Tree
) -> Tuple[Instance, Tuple[str, ...]]:
    """The instance, and warnings.

    Args:
        instance_id: goes into the instance.
        platform: the datasource's name.
        subplatform: where the tree is, as cloud-init says it.
        tree: all that was read.
    """
    meta_data = tree.meta_data
    warnings = list(filter(None, [describe_usable(str(meta_data["uuid"]).strip())]))
    warnings += tree.warnings
    raw: Dict[str, Any] = {
        "meta_data": {key: value for key, value in meta_data.items() if key not in SECRETS}
    }
    if tree.network_data is not None:
        raw["network_data"] = tree.network_data
    seed = _seed_of(meta_data.get("random_seed"))
    if seed:
        raw["random_seed"] = seed
    warnings += describe_unsupported(tree.network_data)
    if meta_data.get("network_config"):
        warnings.append(
            "the platform gives a file /etc/network/interfaces (network_config), which lightinit"
            " does not write: the image must set up the network, such as with DHCP"
        )
    hostnames = [_text(meta_data, "hostname"), _text(meta_data, "name")]
    return (
        Instance(
            instance_id,
            platform=platform,
            hostnames=short_names_first(hostnames),
            vm_id=instance_id_of(meta_data),
            zone=_text(meta_data, "availability_zone"),
            tags=_tags_of(meta_data.get("meta")),
            user_data=_encode(tree.user_data),
            raw=raw,
            public_keys=_keys_of(meta_data, warnings),
            vendor_data=_encode(join_vendor_data(tree.vendor_data, warnings)),
            subplatform=subplatform,
            files=tuple(InjectedFile(path, _encode(content)) for path, content in tree.contents),
        ),
        tuple(warnings),
    )


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _tags_of(meta: Any) -> Dict[str, str]:
    """What the owner gave with ``--property``."""
    if not isinstance(meta, dict):
        return {}
    return {key: value for key, value in meta.items() if isinstance(value, str)}


def _keys_of(meta_data: Mapping[str, Any], warnings: List[str]) -> Tuple[SshKey, ...]:
    """The public keys: ``public_keys`` by name, and those of ``keys`` that are for SSH."""
    named, listed = meta_data.get("public_keys"), meta_data.get("keys")
    texts: List[Any] = []
    if isinstance(named, dict):
        texts += named.values()
    elif isinstance(named, list):
        texts += named
    elif named:
        texts.append(named)
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("type") == "ssh":
            texts.append(entry.get("data"))
    found: Dict[str, SshKey] = {}
    for text in _flatten(texts):
        if not isinstance(text, str):
            warnings.append("a public key of the platform is not used: it is not text")
            continue
        if text.lstrip().startswith(PEM):  # with --type x509, for Windows
            warnings.append("a public key of the platform is not used: it is a certificate")
            continue
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                found[line.strip()] = SshKey(line.strip())
    return tuple(found.values())


def _flatten(values: List[Any]) -> List[Any]:
    """The values, and in the place of a list its own: a name may stand for several keys."""
    flat: List[Any] = []
    for value in values:
        flat += value if isinstance(value, list) else [value]
    return [value for value in flat if value is not None]


def _seed_of(value: Any) -> str:
    """The random bytes in base64, "" if there are none."""
    if not isinstance(value, str) or len(value) > SEED_MOST:
        return ""
    try:
        return _encode(binascii.a2b_base64(value.encode("ascii", "replace")))
    except binascii.Error:
        return ""
