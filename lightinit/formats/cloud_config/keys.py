"""The keys of cloud-init's schema, and what becomes of each here.

The names are those of the JSON schema of cloud-init 22.4.2 (Debian 12), with what later releases
added since. docs/cloud-config.md is a table of the same, and a test holds it to this one.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Tuple

from lightinit.formats.cloud_config import vendor
from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers import (
    clock,
    commands,
    disks,
    ending,
    files,
    host_keys,
    mounts,
    names,
    packages,
    passwords,
    services,
    users,
)
from lightinit.formats.cloud_config.readers.sources import apt, old_apt, repositories
from lightinit.model import NamedTuple

WORKS, PARTLY, NOT = "works", "partly", "not"
Check = Callable[[Mapping[str, Any]], Tuple[Any, List[Mistake]]]


class ConfigKey(NamedTuple):
    """One top-level key.

    Attributes:
        name: its name.
        works: ``works``, ``partly`` or ``not``.
        instead: what to write instead of a deprecated key, or of one that does not work; "" if
            nothing is known.
        is_deprecated: whether cloud-init itself calls it deprecated.
        shape: the types that its value may have, for keys without a reader: any of text, boolean,
            number, list, mapping; empty allows all.
    """

    name: str
    works: str = NOT
    instead: str = ""
    is_deprecated: bool = False
    shape: Tuple[str, ...] = ()


# The readers, each with the keys that it checks.
READERS: Tuple[Tuple[Tuple[str, ...], Check], ...] = (
    (names.KEYS, names.read_names),
    (users.KEYS, users.read_accounts),
    (passwords.KEYS, passwords.read_passwords),
    (files.KEYS, files.read_files),
    (clock.KEYS, clock.read_clock),
    (host_keys.KEYS, host_keys.read_host_keys),
    (commands.KEYS, commands.read_commands),
    (disks.KEYS, disks.read_disks),
    (mounts.KEYS, mounts.read_mounts),
    (packages.KEYS, packages.read_packages),
    (apt.KEYS, apt.read_apt),
    (repositories.KEYS, repositories.read_repositories),
    (services.KEYS, services.read_services),
    (commands.KEYS_OF_SCRIPTS, commands.read_scripts),
    (ending.KEYS, ending.read_ending),
    (vendor.KEYS, vendor.read_vendor_data),
)
TEXT, FLAG, LIST, MAPPING = ("text",), ("a boolean",), ("a list",), ("a mapping",)
MODULES = "leave it out: `modules` and `final_modules` of lightinit.conf list them, in the image"
BOOT_LOADER = "leave it out, or configure the boot loader by `runcmd`"
OWN = "leave it out: it is about cloud-init's own files"
PI = "leave it out: it is for a Raspberry Pi"
PROGRAM = "install and configure it by `packages`, `write_files` and `runcmd`"

_ALL: Tuple[ConfigKey, ...] = (
    # Names
    ConfigKey("hostname", WORKS),
    ConfigKey("fqdn", WORKS),
    ConfigKey("prefer_fqdn_over_hostname", WORKS),
    ConfigKey("preserve_hostname", WORKS),
    ConfigKey("manage_etc_hosts", PARTLY),
    ConfigKey("create_hostname_file", instead="the host's own file is always written"),
    # Accounts
    ConfigKey("users", PARTLY),
    ConfigKey("user", PARTLY),
    ConfigKey("groups", WORKS),
    ConfigKey("ssh_authorized_keys", WORKS),
    ConfigKey("ssh_import_id", instead="write the keys into `ssh_authorized_keys`"),
    ConfigKey("disable_root", PARTLY),
    ConfigKey("disable_root_opts", WORKS),
    ConfigKey("allow_public_ssh_keys", WORKS),
    ConfigKey("ssh_pwauth", WORKS),
    ConfigKey("chpasswd", PARTLY),
    ConfigKey("password", WORKS),
    # SSH host keys
    ConfigKey("ssh_keys", PARTLY),
    ConfigKey("ssh_deletekeys", WORKS),
    ConfigKey("ssh_genkeytypes", PARTLY),
    ConfigKey("ssh_quiet_keygen", WORKS),
    ConfigKey(
        "ssh_publish_hostkeys",
        instead="the console shows the fingerprints: az vm boot-diagnostics get-boot-log",
        shape=MAPPING,
    ),
    ConfigKey("ssh", WORKS),
    ConfigKey("ssh_key_console_blacklist", WORKS, shape=LIST),
    ConfigKey("ssh_fp_console_blacklist", WORKS),
    ConfigKey("no_ssh_fingerprints", WORKS, shape=FLAG),
    ConfigKey(
        "authkey_hash",
        instead="no fingerprints of users' keys are shown; ssh-keygen -lf shows them",
        shape=TEXT,
    ),
    # Files and commands
    ConfigKey("write_files", WORKS),
    ConfigKey("bootcmd", WORKS),
    ConfigKey("runcmd", WORKS),
    # Time and language
    ConfigKey("timezone", WORKS),
    ConfigKey("ntp", WORKS),
    ConfigKey("locale", WORKS),
    ConfigKey("locale_configfile", WORKS),
    ConfigKey("keyboard", WORKS),
    # Packages
    ConfigKey("packages", WORKS),
    ConfigKey("package_update", WORKS),
    ConfigKey("package_upgrade", WORKS),
    ConfigKey("package_reboot_if_required", WORKS),
    ConfigKey("apt_update", WORKS, instead="package_update", is_deprecated=True),
    ConfigKey("apt_upgrade", WORKS, instead="package_upgrade", is_deprecated=True),
    ConfigKey(
        "apt_reboot_if_required", WORKS, instead="package_reboot_if_required", is_deprecated=True
    ),
    ConfigKey("apt", PARTLY),
    ConfigKey("apt_pipelining", WORKS),
    *(
        ConfigKey(key, WORKS, instead="below `apt` write `%s`" % new, is_deprecated=True)
        for key, new in old_apt.INSTEAD.items()
    ),
    ConfigKey("apt_mirror_search_dns", instead="write a mirror in `primary`, below `apt`"),
    ConfigKey("add_apt_repo_match", instead="leave it out: a PPA is written as `deb URL SUITE`"),
    ConfigKey("apk_repos", WORKS),
    ConfigKey("yum_repos", WORKS),
    ConfigKey("yum_repo_dir", WORKS),
    ConfigKey("zypper", WORKS),
    ConfigKey("snap", instead=PROGRAM, shape=MAPPING),
    # Disks
    ConfigKey("growpart", PARTLY),
    ConfigKey("resize_rootfs", PARTLY),
    ConfigKey("disk_setup", PARTLY),
    ConfigKey("fs_setup", PARTLY),
    ConfigKey("device_aliases", WORKS),
    ConfigKey("mounts", WORKS),
    ConfigKey("mount_default_fields", WORKS),
    ConfigKey("swap", WORKS),
    # Network and trust
    ConfigKey("ca_certs", PARTLY),
    ConfigKey("ca-certs", PARTLY, instead="ca_certs", is_deprecated=True),
    ConfigKey("resolv_conf", PARTLY),
    ConfigKey("manage_resolv_conf", WORKS),
    ConfigKey("wireguard", instead=PROGRAM, shape=MAPPING),
    ConfigKey(
        "updates",
        instead="leave it out: the network is its own program's matter at each boot",
        shape=MAPPING,
    ),
    # The end of a boot, and what is told
    ConfigKey("power_state", PARTLY),
    ConfigKey("final_message", PARTLY),
    ConfigKey("phone_home", PARTLY),
    ConfigKey("output", PARTLY),
    ConfigKey("rsyslog", PARTLY),
    ConfigKey("rsyslog_dir", WORKS, instead="rsyslog", is_deprecated=True),
    ConfigKey("rsyslog_filename", WORKS, instead="rsyslog", is_deprecated=True),
    ConfigKey(
        "reporting",
        instead="write `phone_home`; `lightinit status --wait` tells how far it is",
        shape=MAPPING,
    ),
    # How documents are merged
    ConfigKey("merge_how", WORKS),
    ConfigKey("merge_type", WORKS),
    # Other agents and services
    ConfigKey("ansible", instead=PROGRAM),
    ConfigKey("chef", instead=PROGRAM),
    ConfigKey("puppet", instead=PROGRAM),
    ConfigKey("salt_minion", instead=PROGRAM),
    ConfigKey("mcollective", instead=PROGRAM),
    ConfigKey("landscape", instead=PROGRAM),
    ConfigKey("lxd", instead=PROGRAM),
    ConfigKey("rh_subscription", instead=PROGRAM),
    ConfigKey("spacewalk", instead=PROGRAM),
    ConfigKey("ubuntu_advantage", instead=PROGRAM, is_deprecated=True),
    ConfigKey("ubuntu-advantage", instead=PROGRAM, is_deprecated=True),
    ConfigKey("ubuntu_pro", instead=PROGRAM),
    ConfigKey("autoinstall", instead="leave it out: it is for Ubuntu's installer"),
    ConfigKey("byobu_by_default", instead=PROGRAM),
    ConfigKey("drivers", instead=PROGRAM),
    ConfigKey("fan", instead=PROGRAM),
    # cloud-init's own
    ConfigKey("grub_dpkg", instead=BOOT_LOADER),
    ConfigKey("grub-dpkg", instead=BOOT_LOADER, is_deprecated=True),
    ConfigKey(
        "random_seed",
        instead="leave it out: the kernel gets the hypervisor's random bytes",
        shape=MAPPING,
    ),
    ConfigKey(
        "disable_ec2_metadata", instead="leave it out: it is for another platform", shape=FLAG
    ),
    ConfigKey("debug", instead="leave it out: `lightinit status --long` tells what was done"),
    ConfigKey("migrate", instead=OWN, shape=FLAG),
    ConfigKey("vendor_data", PARTLY),
    ConfigKey("launch-index", instead="leave it out: it is for another platform"),
    ConfigKey("cloud_init_modules", instead=MODULES, shape=LIST),
    ConfigKey("cloud_config_modules", instead=MODULES, shape=LIST),
    ConfigKey("cloud_final_modules", PARTLY),
    ConfigKey("system_info", PARTLY),
    ConfigKey("version", instead="leave it out"),
    # Of one computer
    ConfigKey("disable_piwiz", instead=PI, shape=FLAG),
    ConfigKey("enable_rpi_connect", instead=PI, shape=FLAG),
    ConfigKey("rpi_interfaces", instead=PI, shape=MAPPING),
    ConfigKey("rpi_userconf", instead=PI, shape=MAPPING),
)
# Keys that no module takes, but a stage of its own.
BY_STAGES: FrozenSet[str] = frozenset(("vendor_data",))
KEYS: Dict[str, ConfigKey] = {each.name: each for each in _ALL}
