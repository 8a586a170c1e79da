"""The last report: lightinit itself failed before or while it could report in the ordinary way.

It makes all that it needs anew, from the defaults where the settings cannot be read, and sends one
NotReady. It reports nothing unless it is sure that this VM waits for a report.
"""

from __future__ import annotations

import logging
from typing import Optional

from lightinit import datasources
from lightinit.datasources.base import Datasource
from lightinit.datasources.detect import AZURE, detect
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.identity import read_dmi
from lightinit.host.system import System
from lightinit.marks import Marks
from lightinit.model import Frequency
from lightinit.settings import AUTO, Settings, datasource_section
from lightinit.state import DISABLED, State, find_instance

LOG = logging.getLogger("lightinit.last_resort")
SWITCHED_OFF = "lightinit is switched off"


def bug(error: BaseException) -> ProvisioningError:
    """The failure to report for an exception that nobody expected."""
    try:
        said = str(error)[:200]
    except Exception:
        said = "text is not available"
    return ProvisioningError(
        "unexpected error",
        error=type(error).__name__,
        said=said,
        hint="please report it with /var/log/lightinit.log",
    )


def report(system: System, failure: LightinitError) -> str:
    """Report ``failure``, unless this machine is on no known platform, is switched off, or has been
    provisioned.

    Returns:
        "" if it was reported, otherwise why not.

    Raises:
        LightinitError: the platform did not accept it.
    """
    if system.exists(DISABLED) or "lightinit=disabled" in system.read_text("/proc/cmdline").split():
        return SWITCHED_OFF
    settings = _settings(system)
    if settings is not None and not settings["lightinit"]["enabled"]:
        return SWITCHED_OFF
    source = _datasource(system, settings)
    found = read_dmi(system)
    if not source.REPORTS or not source.is_this_platform(found):
        return "no sign of a platform that takes a report"
    instance_id = source.instance_id(found)
    if instance_id:
        folder = State(system, find_instance(system, instance_id)).folder
        if Marks(system, folder, "").find("stage.final", Frequency.INSTANCE) is not None:
            return "an earlier report was accepted"
    source.connect_blindly()
    source.report(failure, None)
    return ""


def _settings(system: System) -> Optional[Settings]:
    """The settings, or None if they cannot be loaded."""
    try:
        from lightinit.registry import load_settings

        return load_settings(system)
    except Exception:
        return None


def _datasource(system: System, settings: Optional[Settings]) -> Datasource:
    """The datasource of the settings, or lightinit's own if the settings or it cannot be used."""
    if settings is not None:
        name = settings["lightinit"]["datasource"]
        if name == AUTO:
            name = detect(system, settings.values).name or AZURE
        options = settings.values.get(datasource_section(name), {})
        try:
            return datasources.load(name)(system, options, None)
        except Exception:
            LOG.debug("the datasource %s cannot be used", name, exc_info=True)
    return datasources.load(AZURE)(system, {}, None)
