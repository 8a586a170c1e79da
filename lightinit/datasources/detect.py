"""Finds the platform of this machine, with ``datasource = auto``, by what it shows without a
network.

Azure comes first: there a VM that does not report is lost. Then the first datasource counts whose
sign is there, in the order of the table; a name on the kernel's command line (``ds=NAME``) comes
before the others' signs. What else was seen is told.
"""

from __future__ import annotations

import importlib
from typing import Any, List, Mapping, Optional, Tuple

from lightinit.datasources import DATASOURCES
from lightinit.datasources.signs import LABELS, Evidence, Sign, gather
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.quick import BY_LABEL

AZURE = "azure"
# ds=NAME[;KEY=VALUE]... Source: cloud-init's documentation, "Kernel command line"; its ds-identify
# takes the others, too.
WORDS = ("ds=", "ci.ds=", "ci.datasource=")
# What cloud-init calls a datasource, where that is not its name here.
ALIASES = {"nocloud-net": "nocloud", "nocloudnet": "nocloud"}
YES = "DMI has the chassis asset tag of every VM on Azure"
PERHAPS = "DMI has no chassis asset tag: only the network can tell"
# The kernel's ABI, sysfs-firmware-ofw: the stable path of the device tree.
BOARD, ACPI = "/proc/device-tree/compatible", "/sys/firmware/acpi"
A_BOARD = "a board with a device tree, without DMI and ACPI, is no VM on Azure"
NOT_ASKED = "not asked, since this is a VM on Azure"


class Detection(NamedTuple):
    """What was found.

    Attributes:
        name: the datasource, "" for none.
        found: whether it is certain; None if only the network can tell; False for none.
        signs: each datasource with what it found, in the order of the table.
        ignored: what would have been another datasource's sign, one phrase each.
        is_named: whether the kernel's command line names it.
    """

    name: str
    found: Optional[bool]
    signs: Tuple[Tuple[str, Sign], ...]
    ignored: Tuple[str, ...] = ()
    is_named: bool = False

    @property
    def why(self) -> str:
        """Why this datasource was taken, or why none was: one phrase for each."""
        if self.name:
            return dict(self.signs)[self.name].why
        return "; ".join("%s: %s" % (name, sign.why) for name, sign in self.signs)


def detect(
    system: System, options: Mapping[str, Mapping[str, Any]], whole: bool = False
) -> Detection:
    """Find the datasource of this machine.

    Args:
        system: the machine.
        options: the settings, by section.
        whole: whether to ask all datasources, although this is a VM on Azure: for people.
    """
    evidence = gather(system)
    of_azure = _ask_azure(evidence)
    if of_azure.found and not whole:
        rest = [(name, Sign(False, NOT_ASKED)) for name in DATASOURCES if name != AZURE]
        return Detection(AZURE, True, ((AZURE, of_azure), *rest), tuple(_find_strays(evidence)))
    signs = [(AZURE, of_azure)]
    for name in DATASOURCES:
        if name != AZURE:
            signs.append((name, _ask(name, evidence, options.get(name, {}))))
    known = [name for name in _list_named(evidence) if name in DATASOURCES and name != AZURE]
    named = (known or [""])[0]
    if named:
        by_name = dict(signs)
        if not by_name[named].found:
            by_name[named] = Sign(True, "ds=%s is on the kernel's command line" % named)
        signs = [(name, by_name[name]) for name, _ in signs]
    seen = [name for name, sign in signs if sign.found]
    taken = (seen or [""])[0]
    if named and not of_azure.found:
        taken = named
    found: Optional[bool] = bool(taken)
    if not taken and of_azure.found is None:
        taken, found = AZURE, None
    others = ["%s: %s" % (name, sign.why) for name, sign in signs if sign.found and name != taken]
    return Detection(taken, found, tuple(signs), tuple(others), bool(named))


def warn_of_azure(system: System, name: str) -> str:
    """What to say if the settings name a datasource other than Azure's on a VM on Azure, which then
    hears nothing from this VM; "" if they do not.
    """
    if name == AZURE or name not in DATASOURCES or not _ask_azure(gather(system)).found:
        return ""
    return (
        "this is a VM on Azure (%s), but the settings say datasource = %s: Azure gets no report,"
        " and may restart the VM" % (YES, name)
    )


def _ask_azure(evidence: Evidence) -> Sign:
    identity = importlib.import_module("lightinit.datasources.azure.identity")
    found = identity.is_azure(evidence.dmi.chassis_asset_tag, evidence.dmi.sys_vendor)
    if found is None and not evidence.dmi.sys_vendor:
        system = evidence.system
        if system.exists(BOARD) and not system.exists(ACPI):
            return Sign(False, A_BOARD)
    if found is None:
        return Sign(None, PERHAPS)
    return Sign(found, YES if found else identity.NOT_AZURE)


def _ask(name: str, evidence: Evidence, options: Mapping[str, Any]) -> Sign:
    """Ask a datasource for its sign. An error of its own must not hide the others."""
    try:
        module = importlib.import_module("lightinit.datasources.%s.sign" % name)
        sign: Sign = module.find_sign(evidence, options)
        return sign
    except Exception as error:
        return Sign(False, "cannot be asked: %s: %s" % (type(error).__name__, str(error)[:200]))


def _list_named(evidence: Evidence) -> List[str]:
    """The datasources that the kernel's command line names, in lower case."""
    found = []
    for word in (word.strip('"') for word in evidence.words):
        for prefix in WORDS:
            if word.startswith(prefix):
                name = word[len(prefix) :].partition(";")[0].lower()
                found.append(ALIASES.get(name, name))
    return found


def _find_strays(evidence: Evidence) -> List[str]:
    """What on a VM on Azure looks like another datasource's. No device is read for it."""
    labels = [name for name in evidence.system.list_dir(BY_LABEL) if name.lower() in LABELS]
    found = ["a volume labelled %s" % name for name in labels]
    named = [name for name in _list_named(evidence) if name != AZURE]
    return found + ["ds=%s on the kernel's command line" % name[:40] for name in named]
