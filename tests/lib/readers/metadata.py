"""What metadata services and config drives give: listings and JSON."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from lightinit.formats import json_document
from lightinit.formats.cloud_config import vendor
from lightinit.formats.ec2 import instance as ec2_instance
from lightinit.formats.ec2 import tree as ec2_tree
from lightinit.formats.nova import dmi, network_data, tree, vendor_data
from lightinit.formats.nova import instance as nova_instance
from tests.lib.readers.reader import Reader, text

META_DATA = (
    b'{"uuid": "u-1", "hostname": "web", "public_keys": {"a": "ssh-rsa A"}, "meta": {"a": "b"},'
    b' "files": [{"content_path": "/content/0000", "path": "/etc/motd"}]}'
)
JSON_FRAMES = ((b"", b""), (b'{"uuid": "', b'"}'), (b'{"uuid": "u", "a": ', b"}"))
JSON_ITEMS = (
    (b'{"uuid": "u", ', b'"k%d": {"a": ["b"]}, ', b'"z": 1}'),
    (b'{"uuid": "u", "files": [', b'{"content_path": "/c/%d", "path": "/p"}, ', b"{}]}"),
    (b'{"uuid": "u", "keys": [', b'{"name": "a", "type": "ssh", "data": "k%d"}, ', b"{}]}"),
    (b'{"uuid": "u", "links": [', b'{"id": "l%d", "type": "bond"}, ', b"{}]}"),
    (b"", b'{"a": ', b""),
    (b"", b"[", b""),
)


def _nova(data: bytes) -> None:
    def read(names: Sequence[str]) -> Dict[str, bytes]:
        return dict.fromkeys(names, data)

    tree.lists_versions(data)
    found = tree.read_beside(tree.choose_version(data), tree.read_meta_data(data, "m"), read)
    nova_instance.make_instance(nova_instance.instance_id_of(found.meta_data), "x", "y", found)


def _documents(data: bytes) -> None:
    document = json_document.read_json(data, "d")
    warnings: List[str] = []
    network_data.find_static(document)
    network_data.describe_unsupported(document)
    vendor_data.join_vendor_data([document, document], warnings)


def _vendor(data: bytes) -> None:
    vendor.read_vendor_data(json_document.read_json_object(data, "d"))


def _ec2(data: bytes) -> None:
    for place in ("", "tags/instance", ec2_tree.KEYS):
        ec2_tree.parse_listing(data, place)
    ec2_tree.find_keys(data)
    value: Any = ec2_tree.parse_value(data, "meta-data/hostname")
    found = {"hostname": value, "public-keys": {"0": {"openssh-key": value}}, "tags": value}
    ec2_instance.instance_from_tree(found, "i-1", data)


READERS = (
    Reader(
        "json_document", lambda data: json_document.read_json(data, "d"), JSON_FRAMES, JSON_ITEMS
    ),
    Reader("nova.tree", _nova, JSON_FRAMES, JSON_ITEMS, (META_DATA,)),
    Reader("nova.vendor_data", _documents, JSON_FRAMES, JSON_ITEMS, (META_DATA,)),
    Reader("nova.dmi", lambda data: dmi.find_openstack(text(data), text(data))),
    Reader("cloud_config.vendor", _vendor, ((b'{"vendor_data": ', b"}"),)),
    Reader("ec2.tree", _ec2, ((b"", b""), (b"0=", b"\n")), ((b"", b"name-%d/\n", b""),)),
)
