"""The modules that run only where a cloud-config asks for them, in the order in which they run.
What they declare is as in ``shipped.py``. A script in user data, too, asks for ``scripts``, and a
boothook for ``bootcmd``.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.model import Frequency
from lightinit.settings import Setting
from lightinit.settings.declaration import Declaration


def _asked(name: str, *keys: str) -> Declaration:
    """A module that writes below /etc, needs nothing of the platform, and that nobody's login waits
    for.
    """
    return Declaration(
        name,
        Frequency.INSTANCE,
        False,
        needs_instance=False,
        kept_in=("/etc",),
        cloud_config=keys,
        asked=True,
    )


ASKED: Tuple[Declaration, ...] = (
    Declaration(
        "bootcmd",
        Frequency.BOOT,
        False,
        settings=(
            Setting(
                "timeout_s",
                "seconds",
                300.0,
                "Seconds that they may take in all before they are killed: sshd and the report"
                " wait for them. 0: no limit.",
            ),
        ),
        cloud_config=("bootcmd",),
        asked=True,
    ),
    _asked("locale", "locale", "locale_configfile"),
    _asked("keyboard", "keyboard"),
    _asked("ca_certs", "ca_certs", "ca-certs"),
    _asked("resolv_conf", "resolv_conf", "manage_resolv_conf"),
    _asked("ntp", "ntp"),
    _asked("rsyslog", "rsyslog", "rsyslog_dir", "rsyslog_filename"),
    Declaration(
        "disk_setup",
        Frequency.INSTANCE,
        False,
        cloud_config=("disk_setup", "fs_setup", "device_aliases"),
        asked=True,
    ),
    Declaration(
        "mounts",
        Frequency.INSTANCE,
        False,
        kept_in=("/etc",),
        cloud_config=("mounts", "mount_default_fields"),
        asked=True,
    ),
    Declaration(
        "swap",
        Frequency.INSTANCE,
        False,
        kept_in=("/etc",),
        cloud_config=("swap",),
        asked=True,
    ),
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
            "apt_proxy",
            "apt_http_proxy",
            "apt_https_proxy",
            "apt_ftp_proxy",
            "apt_preserve_sources_list",
            "apt_custom_sources_list",
            "apt_mirror",
            "apt_mirror_search",
            "apt_sources",
            "yum_repos",
            "yum_repo_dir",
            "zypper",
            "apk_repos",
        ),
        asked=True,
    ),
    Declaration(
        "write_files_deferred",
        Frequency.INSTANCE,
        False,
        cloud_config=("write_files",),
        asked=True,
        asked_field="defer",
    ),
    Declaration(
        "scripts",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "timeout_s",
                "seconds",
                0.0,
                "Seconds that the scripts may take in all before they are killed; 0: no limit.",
            ),
        ),
        cloud_config=("runcmd", "output", "cloud_final_modules"),
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
