"""The tree ``openstack/`` of a config drive and of the metadata service: which files it has, in
which version, and how they are read. Bytes in, documents out.

Source: Nova's user guide, "Metadata", and cloud-init's documentation of ConfigDrive and OpenStack.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.json_document import LIMIT_BYTES, read_json, read_json_object
from lightinit.model import NamedTuple, repr_without

LATEST = "latest"
# In their order; each later one adds to those before it.
VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
)
META_DATA = "meta_data.json"
USER_DATA = "user_data"
VENDOR_DATA = ("vendor_data.json", "vendor_data2.json")
NETWORK_DATA = "network_data.json"
# The first version that has a file; asking an older one would be a request for nothing.
SINCE = {
    "vendor_data.json": "2013-10-17",
    "vendor_data2.json": "2016-10-06",
    NETWORK_DATA: "2015-10-15",
}
# All of it must fit into instance.json, in base64.
USER_DATA_LIMIT_BYTES = 4 * 1024 * 1024
FILE_LIMIT_BYTES = LIMIT_BYTES
CONTENTS_LIMIT_BYTES = 512 * 1024
FILES_MOST = 100
_CONTENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")

# Names below the root of the tree, such as ``openstack/latest/user_data``, to those of the files
# that there are. The flag is whether the caller cannot do without the first of them.
ReadFiles = Callable[[Sequence[str]], Dict[str, bytes]]


class Tree(NamedTuple):
    """What the tree says, as read.

    Attributes:
        version: the folder that was read.
        meta_data: meta_data.json.
        user_data: the owner's user data. A secret.
        vendor_data: the documents of the operator that are there, in the order in which they count.
        network_data: network_data.json, None if there is none.
        contents: of the files that meta_data.json lists: (path, content). A secret.
        warnings: what was odd, one sentence each.
    """

    version: str
    meta_data: Dict[str, Any]
    user_data: bytes = b""
    vendor_data: Tuple[Any, ...] = ()
    network_data: Any = None
    contents: Tuple[Tuple[str, bytes], ...] = ()
    warnings: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        return repr_without(self, "meta_data", "user_data", "vendor_data", "contents")


def choose_version(offered: bytes) -> str:
    """The newest version that both sides know; ``latest`` if there is none.

    Args:
        offered: the answer to ``GET /openstack``: one version on each line.
    """
    lines = {line.strip() for line in offered.decode("ascii", "replace").splitlines()}
    for version in reversed(VERSIONS):
        if version in lines:
            return version
    return LATEST


def lists_versions(offered: bytes) -> bool:
    """Whether an answer to ``GET /openstack`` is a list of versions: another server may answer."""
    lines = {line.strip() for line in offered.decode("ascii", "replace").splitlines()}
    return LATEST in lines or not lines.isdisjoint(VERSIONS)


def name_of(version: str, name: str) -> str:
    """The name of a file below the root of the tree."""
    return "openstack/%s/%s" % (version, name)


def names_beside(version: str) -> List[str]:
    """The names of the files that a version may have beside meta_data.json."""
    found = [USER_DATA, *VENDOR_DATA, NETWORK_DATA]
    return [
        name_of(version, name)
        for name in found
        if version == LATEST or SINCE.get(name, "") <= version
    ]


def read_meta_data(data: bytes, name: str) -> Dict[str, Any]:
    """meta_data.json, with the instance id in ``uuid``.

    Raises:
        MalformedError: it is not a JSON object.
        ProvisioningError: it names no instance.
    """
    document = read_json_object(data, name)
    uuid = document.get("uuid")
    if isinstance(uuid, bool) or not isinstance(uuid, (str, int)) or not str(uuid).strip():
        raise ProvisioningError(
            "openstack metadata name no instance",
            document=name,
            hint="it must have a text `uuid`, the instance id; Nova writes it, a seed made by hand"
            " needs one, such as that of: uuidgen",
        )
    return document


def read_beside(version: str, meta_data: Dict[str, Any], read: ReadFiles) -> Tree:
    """The whole tree, from the files beside meta_data.json and those that it lists. What is damaged
    is left out, with a warning: a VM must not fail because of it.

    Args:
        version: the folder to read.
        meta_data: as :func:`read_meta_data` gives it.
        read: reads files.
    """
    warnings: List[str] = []
    found = read(names_beside(version))
    documents = [
        _optional_json(found, name_of(version, name), warnings)
        for name in (*VENDOR_DATA, NETWORK_DATA)
    ]
    listed = _listed_files(meta_data, warnings)
    contents: List[Tuple[str, bytes]] = []
    given = read(sorted({name for _, name in listed})) if listed else {}
    left_bytes = CONTENTS_LIMIT_BYTES
    for path, name in listed:
        left_bytes -= len(given.get(name, b""))
        if name not in given:
            warnings.append("the file %s is not written: %s is missing" % (path, name))
        elif left_bytes < 0:
            warnings.append("the file %s is not written: all are too large together" % path)
        else:
            contents.append((path, given[name]))
    return Tree(
        version,
        meta_data,
        found.get(name_of(version, USER_DATA), b""),
        tuple(document for document in documents[:-1] if document),
        documents[-1],
        tuple(contents),
        tuple(warnings),
    )


def _optional_json(found: Dict[str, bytes], name: str, warnings: List[str]) -> Any:
    if not found.get(name, b"").strip():
        return None
    try:
        return read_json(found[name], name)
    except MalformedError as error:
        warnings.append("%s is not used: %s" % (name, error))
        return None


def _listed_files(meta_data: Dict[str, Any], warnings: List[str]) -> List[Tuple[str, str]]:
    """(path in the VM, name in the tree) of each file that meta_data.json lists."""
    listed = meta_data.get("files") or []
    if not isinstance(listed, list):
        warnings.append("the files of the platform are not written: `files` is not a list")
        return []
    if len(listed) > FILES_MOST:
        warnings.append("only the first %d files of the platform are written" % FILES_MOST)
    found: Dict[str, str] = {}
    for number, entry in enumerate(listed[:FILES_MOST], 1):
        path, place = (entry.get("path"), entry.get("content_path")) if _is_map(entry) else ("", "")
        name = _name_of_content(place)
        if not isinstance(path, str) or not path.strip("/") or not name:
            warnings.append(
                "file %d of the platform is not written: it needs a path, and a content_path such"
                " as /content/0000" % number
            )
            continue
        found["/" + path.lstrip("/")] = name
    return list(found.items())


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _name_of_content(place: Any) -> str:
    """The name in the tree of a content_path such as ``/content/0000``; "" if it is none. It goes
    into a URL or a path, so it must be plain.
    """
    if not isinstance(place, str):
        return ""
    parts = [part for part in place.split("/") if part]
    if len(parts) != 2 or parts[0] != "content" or not _CONTENT.match(parts[1]):
        return ""
    return "openstack/content/" + parts[1]
