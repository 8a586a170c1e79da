"""The provisioning media: found and read by the host's part, understood by the format's, waited for as the caller wishes.

It neither knows IMDS nor decides what the media are good for.
"""
from __future__ import annotations

import logging
from typing import Dict, List, Optional

from lightinit.errors import MalformedError
from lightinit.formats import ovf
from lightinit.formats.ovf import OvfEnvironment
from lightinit.host import media
from lightinit.host.media import Medium
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.media")
COPY = "ovf-env.xml"
