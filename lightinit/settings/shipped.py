"""What the modules that lightinit ships declare: how often each runs, and its settings.

It is apart from their work, since the settings are read before anything else. A first boot imports
the work while it waits for the network. A module of somebody else declares the same in its own file
(docs/modules.md).
"""

from __future__ import annotations

from typing import Dict

from lightinit.model import Frequency
from lightinit.settings import Setting
from lightinit.settings.asked import ASKED
from lightinit.settings.declaration import Declaration

_DECLARATIONS = (
    Declaration(
        "entropy",
        Frequency.INSTANCE,
        False,
        needs_instance=False,
    ),
    Declaration(
        "hostname",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting("hostname", "text", "", "The host name; empty: the one from the platform."),
            Setting("preserve_hostname", "boolean", False, "Keep the host name of the image."),
            Setting(
                "manage_etc_hosts",
                "boolean",
                True,
                "Give the host name an address (127.0.1.1) in /etc/hosts.",
            ),
            Setting(
                "renew_lease",
                "boolean",
                True,
                "Make the DHCP client send the new name to its server, which puts it into DNS.",
            ),
        ),
        kept_in=("/etc",),
        cloud_config=(
            "hostname",
            "fqdn",
            "prefer_fqdn_over_hostname",
            "preserve_hostname",
            "manage_etc_hosts",
        ),
    ),
    Declaration(
        "ssh_host_keys",
        Frequency.INSTANCE,
        True,
        settings=(
            Setting(
                "keep_existing",
                "boolean",
                False,
                "Keep the host keys of the image, and make only the types that are missing.",
            ),
        ),
        needs_instance=False,
        kept_in=("/etc/ssh",),
        cloud_config=(
            "ssh_keys",
            "ssh_deletekeys",
            "ssh_genkeytypes",
            "ssh_quiet_keygen",
            "ssh",
            "ssh_key_console_blacklist",
            "ssh_fp_console_blacklist",
            "no_ssh_fingerprints",
        ),
    ),
    Declaration(
        "users",
        Frequency.INSTANCE,
        True,
        settings=(
            Setting(
                "shell",
                "path",
                "",
                "Login shell of a new account; empty: the host's own choice, /bin/bash or /bin/sh.",
            ),
            Setting(
                "groups",
                "words",
                (
                    "adm",
                    "sudo",
                    "wheel",
                    "systemd-journal",
                    "dialout",
                    "cdrom",
                    "floppy",
                    "audio",
                    "video",
                    "dip",
                    "plugdev",
                    "netdev",
                ),
                "Groups that the admin joins, those of them that the host has.",
            ),
            Setting(
                "privileges",
                "text",
                "auto",
                "Whether sudo or doas asks for a password; auto: only if password login is on.",
                ("auto", "nopasswd", "password", "none"),
            ),
        ),
        kept_in=("/etc", "/home"),
        opens_login=True,
        cloud_config=("users", "user", "system_info", "groups", "chpasswd", "password"),
    ),
    Declaration(
        "ssh_authorized_keys",
        Frequency.INSTANCE,
        True,
        kept_in=("/home",),
        opens_login=True,
        cloud_config=(
            "users",
            "user",
            "system_info",
            "ssh_authorized_keys",
            "disable_root",
            "disable_root_opts",
            "allow_public_ssh_keys",
        ),
    ),
    Declaration(
        "ssh_password_login",
        Frequency.INSTANCE,
        True,
        settings=(
            Setting(
                "policy",
                "text",
                "platform",
                "platform: apply the platform's order. keep: keep the image's configuration.",
                ("platform", "keep"),
            ),
        ),
        kept_in=("/etc/ssh",),
        opens_login=True,
        cloud_config=("ssh_pwauth",),
    ),
    Declaration(
        "certificates",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "folder",
                "path",
                "/var/lib/lightinit/instance/certificates",
                "The folder for {THUMBPRINT}.crt and {THUMBPRINT}.prv; made (0755) if it is"
                " missing.",
            ),
        ),
    ),
    Declaration(
        "timezone",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "zone",
                "text",
                "",
                "The time zone, such as Europe/Berlin; empty: keep the one of the image.",
            ),
        ),
        needs_instance=False,
        kept_in=("/etc",),
        cloud_config=("timezone",),
    ),
    Declaration(
        "write_files",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "files",
                "lines",
                "",
                "The files, one on each indented line: PATH [mode=0644] [owner=root:root] [append],"
                " then text=, base64=, gzip= or source= for its content.",
            ),
        ),
        needs_instance=False,
        cloud_config=("write_files",),
    ),
    Declaration(
        "root_disk",
        Frequency.INSTANCE,
        False,
        needs_instance=False,
        makes_room=True,
        cloud_config=("growpart", "resize_rootfs"),
    ),
    Declaration(
        "custom_data",
        Frequency.INSTANCE,
        False,
        settings=(
            Setting(
                "execute",
                "text",
                "",
                "Replaced by `user_data` of [lightinit]; it still counts.",
                ("none", "custom_data", "user_data", "both"),
                replaced_by="`user_data` of [lightinit]: run, keep or none",
                if_wrong="none",
            ),
        ),
    ),
    Declaration(
        "ephemeral_disk",
        Frequency.BOOT,
        False,
        settings=(
            Setting(
                "device",
                "text",
                "auto",
                "auto: the SCSI disk that the platform lends the VM. Or the path of a whole disk, "
                "such as /dev/disk/azure/local/by-index/1 for a local NVMe disk.",
            ),
            Setting(
                "format",
                "text",
                "fresh",
                "fresh: make a file system on a disk that is certainly the platform's, without "
                "anybody's data. never: only mount what was made before.",
                ("fresh", "never"),
            ),
            Setting("filesystem", "text", "ext4", "The file system that is made.", ("ext4", "xfs")),
            Setting("mount_point", "path", "/mnt/resource", "Where it is mounted."),
            Setting(
                "mount_options",
                "text",
                "defaults",
                "Options for /etc/fstab, joined by commas; nofail is always added.",
            ),
            Setting("swap_mb", "integer", 0, "Size of a swap file on it, in MiB; 0: none."),
        ),
        needs_instance=False,
    ),
)

SHIPPED: Dict[str, Declaration] = {each.name: each for each in (*_DECLARATIONS, *ASKED)}
