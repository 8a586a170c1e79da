"""The keys of the settings' section [azure]."""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple

from lightinit import __version__
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.settings import Setting, check_endpoint

AUTO = "auto"

SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "wireserver",
        "endpoint",
        "auto",
        "The address of the WireServer: auto (from the DHCP lease) or host:port.",
    ),
    Setting(
        "imds", "endpoint", "169.254.169.254:80", "The address of the Instance Metadata Service."
    ),
    Setting(
        "agent",
        "text",
        "lightinit/" + __version__,
        "The name and version of the agent in requests and reports.",
    ),
    Setting(
        "media",
        "text",
        "auto",
        "The provisioning media. auto: search the block devices. none: do not use them. "
        "Else the path of a device, of an image file, or of a folder with ovf-env.xml.",
    ),
    Setting(
        "media_wait_s",
        "seconds",
        10.0,
        "How long to wait for the media if they are needed: IMDS is unavailable, or "
        "password login is on.",
    ),
    Setting(
        "certificates",
        "text",
        "ssh",
        "Which of the platform's certificates are fetched. ssh: those of SSH keys. "
        "all: every one, for the module certificates. none: none.",
        ("ssh", "all", "none"),
    ),
    Setting(
        "report_progress",
        "boolean",
        True,
        "Whether to report once that this VM is at work, if it is not ready soon.",
    ),
    Setting(
        "progress_after_s",
        "seconds",
        1.0,
        "After how many seconds, from the goal state on, that report is sent.",
    ),
    Setting(
        "telemetry",
        "boolean",
        True,
        "Whether to write the result to Hyper-V's key-value pool, too.",
    ),
    Setting(
        "preprovisioned",
        "text",
        "auto",
        "Preprovisioned VMs. auto: wait for an owner if the platform says so. "
        "no: provision at once.",
        ("auto", "no"),
    ),
    Setting(
        "reprovision_poll_s",
        "seconds",
        10.0,
        "How often such a VM asks for its owner; it also asks at each change of its network.",
    ),
    Setting(
        "fetch_timeout_s",
        "seconds",
        300.0,
        "How long to try to get the whole (extended) metadata document. After that the plain one "
        "is used, which may be incomplete.",
    ),
    Setting(
        "media_only_s",
        "seconds",
        30.0,
        "How long to try to get the metadata document if the provisioning media are enough "
        "without it.",
    ),
    Setting(
        "goal_state_timeout_s",
        "seconds",
        150.0,
        "How long to try to get the goal state in the fetch stage, if certificates are needed; "
        "the final stage tries longer.",
    ),
    Setting("report_timeout_s", "seconds", 300.0, "How long to try to report to the platform."),
    Setting(
        "complete_timeout_s",
        "seconds",
        30.0,
        "How long to wait for the missing parts of an incomplete metadata document, and after a "
        "pool for the owner's.",
    ),
    Setting(
        "request_timeout_s",
        "seconds",
        60.0,
        "How long one request to the WireServer may take, from connecting to its last byte; one "
        "to IMDS may take half as long.",
    ),
    Setting(
        "retry_first_s",
        "seconds",
        1.0,
        "How long to wait before the second attempt; each further one is twice as long, up to 15"
        " times. If the WireServer is busy: up to 30 times.",
    ),
)


def check_settings(system: System, options: Mapping[str, Any]) -> List[Tuple[str, str]]:
    """The mistakes that no kind of value excludes: (key, what is wrong and what to do)."""
    found: List[Tuple[str, str]] = []
    media, agent = str(options["media"]), str(options["agent"])
    if media not in ("auto", "none") and not media.startswith("/"):
        found.append(
            ("media", "it is neither auto nor none nor an absolute path; write one of them")
        )
    if not agent or not agent.isascii() or not agent.isprintable() or "|" in agent:
        found.append(("agent", "write printable ASCII without |, such as lightinit/1"))
    return found


def read_endpoint(options: Mapping[str, Any], key: str, automatic: str) -> str:
    """The endpoint from the option ``key``, checked by the same rule as in the settings.

    Args:
        options: a value for each key of the section.
        key: ``imds`` or ``wireserver``.
        automatic: what ``auto`` means.

    Raises:
        ProvisioningError: it is not ``host`` or ``host:port``.
    """
    value = str(options[key])
    if value == AUTO:
        value = automatic
    try:
        return check_endpoint(value)
    except ValueError as error:
        raise ProvisioningError(
            "endpoint is not usable",
            key=key,
            value=value[:100],
            error=error,
            hint="give host or host:port",
        ) from None
