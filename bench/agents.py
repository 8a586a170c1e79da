"""The agents that ``make bench-peers`` measures, and what each wants to find on its image."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional, Union

from tests.lib.scratch import HERE, SPARE_THE_DISK
from tests.peers import test_afterburn, test_azure_init, test_cloud_init, test_waagent

KEYS = ".ssh/authorized_keys"
LIGHTINIT = "exec /usr/bin/python3 -I -S -B /usr/lib/lightinit/lightinit/__main__.py boot"
# As on an image that was made general: each VM makes its own.
NO_HOST_KEYS = "rm -f /etc/ssh/ssh_host_*\n"
SUDOERS = (
    "echo '%sudo ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-image\nchmod 440 /etc/sudoers.d/*\n"
)
CLOUD_INIT = """rm -rf /run/cloud-init
cloud-init init --local; ifup -a; cloud-init init
cloud-init modules --mode=config; cloud-init modules --mode=final
"""
AFTERBURN = """afterburn --provider azure --hostname=/etc/hostname
hostname "$(cat /etc/hostname)"
afterburn --provider azure --ssh-keys=alice
afterburn --provider azure --check-in
"""


class Agent(NamedTuple):
    """One line of the table.

    Attributes:
        name: for the table.
        script: what its init system starts in a boot; a shell script.
        before: a shell script that runs before it, and is not in its time.
        image: a shell script that makes its image, once.
        package: what is installed: one of chroot.STORED, or a program.
        tree: lightinit's sources, if it is one.
        waits: whether it is started before there is a lease, and waits for it.
        asks: whether it does DHCP itself: then there is no lease before it.
        media: whether it wants the provisioning media.
        keys: where it puts the admin's keys, in the admin's home.
        stays: whether it goes on as a daemon.
        lacks: what it does not do.
    """

    name: str
    script: str
    image: str = ""
    before: str = ""
    package: Union[str, Path] = ""
    tree: Optional[Path] = None
    waits: bool = False
    asks: bool = False
    media: bool = False
    keys: str = KEYS
    stays: bool = False
    lacks: str = ""


OURS, OURS_LATE, OURS_KEPT = "lightinit", "lightinit, lease there", "lightinit, keys kept"
BEFORE, BEFORE_LATE = "before", "before, lease there"
AZURE_INIT, WITH_KEYS = "azure-init", "ssh-keygen -A; azure-init"
AFTERBURN_NAME, CLOUD_INIT_NAME, WAAGENT = "afterburn", "cloud-init", "waagent"
NO_KEYS = "makes no host keys"


def lightinits(tree: Path, names: List[str]) -> List[Agent]:
    """lightinit of one tree: started before the lease, and with the lease there.

    Args:
        tree: its sources.
        names: for these two; and a third, if wanted, for one that keeps the image's host keys.
    """
    conf = (
        "mkdir -p /etc/lightinit/conf.d\ncat >/etc/lightinit/conf.d/05-bench.conf <<'END'\n%sEND\n"
    )
    settings = "".join(_without_unknown(tree, line) for line in SPARE_THE_DISK.splitlines(True))
    image = conf % settings
    kept = conf % (settings + "[module.ssh_host_keys]\nkeep_existing = yes\n")
    found = [
        Agent(names[0], LIGHTINIT, image + NO_HOST_KEYS, tree=tree, waits=True),
        Agent(names[1], LIGHTINIT, image + NO_HOST_KEYS, tree=tree),
    ]
    found += [Agent(name, LIGHTINIT, kept, tree=tree) for name in names[2:]]
    return found


def _without_unknown(tree: Path, line: str) -> str:
    """A line of settings, without the modules that an older tree does not have."""
    key, equals, names = line.partition(" = ")
    if key != "modules":
        return line
    known = [name for name in names.split() if (tree / "modules" / (name + ".py")).exists()]
    return key + equals + " ".join(known) + "\n"


def others(with_rust: bool) -> List[Agent]:
    """The other agents; those in Rust only if cargo can build them."""
    settings = "".join(
        "sed -i 's/^%s=.*/%s=%s/' /etc/waagent.conf\n" % (name, name, value)
        for name, value in test_waagent.SETTINGS.items()
    )
    found = [
        Agent(
            CLOUD_INIT_NAME,
            CLOUD_INIT,
            "printf 'datasource_list: [Azure]\\nlocale: false\\n' >%s\n" % test_cloud_init.SETTINGS
            + NO_HOST_KEYS,
            package="cloud-init",
            asks=True,
            lacks="says Ready before the account and the key are there",
        ),
        Agent(
            WAAGENT,
            "exec /usr/sbin/waagent -daemon",
            settings + NO_HOST_KEYS,
            package="waagent",
            media=True,
            stays=True,
            lacks="needs the provisioning media",
        ),
    ]
    if not with_rust:
        return found
    built = subprocess.run(
        [HERE + "/tools/build-peers"], check=True, stdout=subprocess.PIPE, universal_newlines=True
    )
    programs = Path(built.stdout.strip())
    azure_init = programs / "azure-init"
    image = test_azure_init.IMAGE + SUDOERS + NO_HOST_KEYS
    return found + [
        Agent(
            AZURE_INIT,
            "exec azure-init",
            image,
            package=azure_init,
            lacks=NO_KEYS + ", asks nobody whether the admin gets in, wants the image's groups",
        ),
        Agent(
            WITH_KEYS,
            "ssh-keygen -A; exec azure-init",
            image,
            package=azure_init,
            lacks="as above, but for the host keys",
        ),
        Agent(
            AFTERBURN_NAME,
            AFTERBURN,
            test_afterburn.IMAGE + NO_HOST_KEYS,
            before=test_afterburn.LEASE,
            package=programs / "afterburn",
            keys=test_afterburn.KEYS,
            lacks=NO_KEYS + " and no account, gives no rights",
        ),
    ]
