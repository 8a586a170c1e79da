"""The keys of the settings' section [azure]."""

from __future__ import annotations

from typing import Tuple

from lightinit import __version__
from lightinit.settings import Setting

SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "wireserver",
        "endpoint",
        "auto",
        "Where the WireServer is: auto (as the DHCP lease says) or host:port.",
    ),
    Setting("imds", "endpoint", "169.254.169.254:80", "Where the Instance Metadata Service is."),
    Setting(
        "agent",
        "text",
        "lightinit/" + __version__,
        "The name and version that the platform is told.",
    ),
    Setting(
        "media",
        "text",
        "auto",
        "The provisioning media: auto looks through the block devices; none does without; "
        "else the path of a device, of an image file, or of a folder with ovf-env.xml.",
    ),
    Setting(
        "media_wait_s",
        "seconds",
        10.0,
        "How long to wait for media that come late, where they are needed: IMDS is "
        "down, or password login is on.",
    ),
    Setting(
        "certificates",
        "text",
        "ssh",
        "Which of the platform's certificates are fetched: ssh: those that stand for "
        "SSH keys; all: every one, for the module certificates; none.",
        ("ssh", "all", "none"),
    ),
    Setting(
        "report_progress",
        "boolean",
        True,
        "Whether the platform is told, once, that this VM is at work.",
    ),
    Setting(
        "telemetry", "boolean", True, "Whether the result goes into Hyper-V's key-value pool too."
    ),
    Setting(
        "preprovisioned",
        "text",
        "auto",
        "Whether a VM that waits in a pool for its owner waits: auto: when the "
        "platform says so; no: it provisions at once.",
        ("auto", "no"),
    ),
    Setting(
        "reprovision_poll_s",
        "seconds",
        10.0,
        "How often such a VM asks whether it has an owner, besides at each change of its network.",
    ),
    Setting("fetch_timeout_s", "seconds", 300.0, "How long to ask for the metadata document."),
    Setting(
        "media_only_s",
        "seconds",
        30.0,
        "How long to ask for the metadata document when the provisioning media say "
        "enough without it.",
    ),
    Setting(
        "goal_state_timeout_s",
        "seconds",
        60.0,
        "How long to ask for the goal state while fetching; reporting asks again, and for longer.",
    ),
    Setting("report_timeout_s", "seconds", 300.0, "How long to try to report to the platform."),
    Setting(
        "complete_timeout_s",
        "seconds",
        30.0,
        "How long to wait for metadata that lacks something, before taking it as it is.",
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
        "How long to wait before the second attempt; each further one is twice as long, up to 15"
        " times.",
    ),
)
