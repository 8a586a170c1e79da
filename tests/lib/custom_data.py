"""The modules custom_data and scripts on a stand-in for a live machine."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

import pytest

from lightinit.cloud_config.choice import EXECUTE
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import bootcmd, custom_data, scripts

FOLDER = "var/lib/lightinit/instance/"
CUSTOM, USER = FOLDER + "custom-data", FOLDER + "user-data"
SECRET = "hunter2-hunter2"


def b64(data: Any) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def apply(
    system: System, custom: str = "", user: str = "", execute: str = "none", timeout_s: float = 60.0
) -> Outcome:
    """Keep the data, and execute what ``execute`` names. Returns what both modules say."""
    instance = Instance("the-id", custom_data=custom, user_data=user)
    settings = {"documents": EXECUTE[execute], "timeout_s": timeout_s}
    outcomes = [
        module.apply(instance, system, settings) for module in (custom_data, bootcmd, scripts)
    ]
    told = outcomes[:1] + [each for each in outcomes[1:] if not each.skipped]
    return Outcome(
        "; ".join(each.message for each in told),
        tuple(warning for each in told for warning in each.warnings),
        told[0].skipped,
    )


def refused(system: System, *arguments: Any, **more: Any) -> ProvisioningError:
    with pytest.raises(ProvisioningError) as raised:
        apply(system, *arguments, **more)
    return raised.value


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
