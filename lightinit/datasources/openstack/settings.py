"""The keys of the settings' section [openstack]."""

from __future__ import annotations

from typing import Tuple

from lightinit.settings import Setting

ADDRESS = "169.254.169.254"

SETTINGS: Tuple[Setting, ...] = (
    Setting("endpoint", "endpoint", ADDRESS + ":80", "The address of the metadata service."),
    Setting(
        "fetch_timeout_s",
        "seconds",
        120.0,
        "How long to try to get the metadata. What the VM can do without is tried for 10 seconds"
        " more at most.",
    ),
    Setting("request_timeout_s", "seconds", 10.0, "How long one request may take."),
)
