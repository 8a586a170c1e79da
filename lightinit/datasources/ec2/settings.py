"""The keys of the settings' section [ec2]."""

from __future__ import annotations

from typing import Tuple

from lightinit.settings import Setting

ADDRESS = "169.254.169.254"

SETTINGS: Tuple[Setting, ...] = (
    Setting("endpoint", "endpoint", ADDRESS + ":80", "The address of the metadata service."),
    Setting(
        "imdsv1",
        "boolean",
        False,
        "Whether to ask without a token if the service gives none: for private clouds that know "
        "only the older protocol.",
    ),
    Setting(
        "fetch_timeout_s",
        "seconds",
        120.0,
        "How long to try to get the instance id, the keys and the user data.",
    ),
    Setting(
        "request_timeout_s",
        "seconds",
        10.0,
        "How long one request may take, from connecting to its last byte.",
    ),
    Setting(
        "retry_first_s",
        "seconds",
        1.0,
        "How long to wait before the second attempt; each further one is twice as long, up to 15 "
        "times.",
    ),
)
