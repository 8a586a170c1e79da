"""All readers of hostile input, by name."""

from __future__ import annotations

from typing import Dict

from tests.lib.readers import (
    beyond_formats,
    bundle_parts,
    cloud_configs,
    documents,
    given_words,
    host_files,
    logins,
    metadata,
    package_files,
    seeds,
    service_files,
)
from tests.lib.readers.reader import Reader

FILES = (
    beyond_formats,
    bundle_parts,
    cloud_configs,
    documents,
    given_words,
    host_files,
    logins,
    metadata,
    package_files,
    seeds,
    service_files,
)
READERS: Dict[str, Reader] = {each.name: each for file in FILES for each in file.READERS}
