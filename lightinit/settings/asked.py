"""The modules that run only where a cloud-config asks for them, in the order in which they run.
What they declare is as in ``shipped.py``.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.model import Frequency
from lightinit.settings import Setting
from lightinit.settings.declaration import Declaration

ASKED: Tuple[Declaration, ...] = (
    Declaration(
        "packages",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "timeout_s",
                "seconds",
                3600.0,
                "Seconds that the package managers may take in all before they are killed.",
            ),
        ),
        cloud_config=(
            "packages",
            "package_update",
            "package_upgrade",
            "package_reboot_if_required",
            "apt_update",
            "apt_upgrade",
            "apt_reboot_if_required",
            "apt",
            "apt_pipelining",
            "yum_repos",
            "yum_repo_dir",
            "zypper",
            "apk_repos",
        ),
        asked=True,
    ),
    Declaration(
        "phone_home",
        Frequency.INSTANCE,
        False,
        cloud_config=("phone_home",),
        asked=True,
    ),
    Declaration(
        "final_message",
        Frequency.INSTANCE,
        False,
        cloud_config=("final_message",),
        asked=True,
    ),
    Declaration(
        "power_state",
        Frequency.INSTANCE,
        False,
        cloud_config=("power_state",),
        asked=True,
    ),
)
