"""Chooses the datasource with ``datasource = auto``: the first whose sign is there. If what it
showed is of no use, another one whose sign is there is better than a VM without a login.
"""

from __future__ import annotations

import logging
from typing import Callable, Tuple

from lightinit.datasources.base import Datasource
from lightinit.datasources.detect import AZURE, Detection
from lightinit.host.identity import read_boot_id, read_dmi
from lightinit.host.system import System
from lightinit.marks import Marks
from lightinit.model import Frequency
from lightinit.state import State, current_instance

LOG = logging.getLogger("lightinit.local")


def choose(
    system: System, found: Detection, make: Callable[[str], Datasource]
) -> Tuple[Detection, Datasource]:
    """The datasource for this boot, and what was found, with its name.

    Args:
        system: the machine.
        found: what the machine shows.
        make: makes the datasource with a name.
    """
    first = make(found.name or AZURE)
    signs = [(name, sign) for name, sign in found.signs if sign.found and name != found.name]
    if not signs or found.is_named or found.name == AZURE:
        return found, first
    why = first.why_unusable()
    if not why or _is_known(system, first):
        return found, first
    name = signs[0][0]
    LOG.warning("%s is used in place of %s: %s", name, found.name, why)
    left = tuple("%s: %s" % (other, sign.why) for other, sign in signs[1:])
    return found._replace(name=name, ignored=("%s: %s" % (found.name, why), *left)), make(name)


def _is_known(system: System, source: Datasource) -> bool:
    """Whether this machine is the instance of an earlier boot, which has fetched its data."""
    known = current_instance(system)
    if known is None or known != source.instance_id(read_dmi(system)):
        return False
    marks = Marks(system, State(system, known).folder, read_boot_id(system))
    return marks.find("stage.fetch", Frequency.INSTANCE) is not None
