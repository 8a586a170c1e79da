"""The kinds of user data: one file for each, and the table that lists them.

The table knows neither where the data come from nor whether the settings want them executed.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.user_data.boothook import Boothook
from lightinit.user_data.cloud_config import CloudConfig
from lightinit.user_data.containers.archive import Archive
from lightinit.user_data.containers.include import Include
from lightinit.user_data.containers.jinja import Jinja
from lightinit.user_data.containers.multipart import Multipart
from lightinit.user_data.ignition import Ignition
from lightinit.user_data.kind import Kind
from lightinit.user_data.script import Script
from lightinit.user_data.unknown import Unknown
from lightinit.user_data.unsupported import Unsupported

# The first kind that recognises the data is used. The last one recognises everything.
KINDS: Tuple[Kind, ...] = (
    Script(),
    Archive(),
    Unsupported(),
    CloudConfig(),
    Boothook(),
    Include(),
    Jinja(),
    Multipart(),
    Ignition(),
    Unknown(),
)
# With these types, the content says what it is. cloud-init, too, does not trust text/x-shellscript:
# people declare anything as a script.
UNTYPED = ("", "text/plain", "text/x-not-multipart", "text/x-shellscript")
SCRIPT = "text/x-shellscript"


def find_kind(data: bytes, content_type: str = "") -> Tuple[Kind, str]:
    """Find the kind of user data.

    Args:
        data: user data or custom data, decoded and unpacked.
        content_type: the MIME type in lower case, if a container names one.

    Returns:
        The kind, and the name of the format, such as ``script``, ``#include`` or ``MIME``.
    """
    if content_type not in UNTYPED:
        return _find_by_type(content_type)
    for kind in KINDS:
        name = kind.recognise(data)
        if name and (kind is not KINDS[-1] or content_type != SCRIPT):
            return kind, name
    return _find_by_type(content_type)


def _find_by_type(content_type: str) -> Tuple[Kind, str]:
    for kind in KINDS:
        if content_type in kind.types:
            return kind, kind.types[content_type]
    return KINDS[-1], content_type
