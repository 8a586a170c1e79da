"""What a kind of distribution is: how its root is made, and how it is used.

A file beside this one describes one kind; the table in __init__.py lists them. A kind stands for
distributions that Debian's archive cannot give us, with the programs that they use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Tuple


@dataclass(frozen=True)
class Kind:
    """One kind of distribution.

    Attributes:
        name: short, without a blank or a hyphen.
        stands_for: what it is like, for the table at the end.
        release: of Debian, that the packages are from; "" for the root of tools/build-musl.
        packages: of a release that the Debian images have, too: beside what they have. Of another:
            beside a minimal root.
        without: packages of the Debian images that it has not.
        init: as `make install INIT=` knows it; "" for systemd, whose units are always installed.
        files: path -> text; those that begin with #! are programs.
        links: path -> what it leads to; in place of what is there.
        script: lines of a shell script that runs in the root at the end, as root.
        become_root: the words before a command that the admin runs as root.
        keys_folder: where the host keys of its SSH server are.
        dropbear: whether that server is dropbear.
        name_file: where the host name is kept.
        state_size: of a second disk, empty at first, that keeps what changes; "" for none.
        facts: command -> what it prints in a guest of this kind after each boot.
    """

    name: str
    stands_for: str
    release: str = ""
    packages: Tuple[str, ...] = ()
    without: Tuple[str, ...] = ()
    init: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    script: Tuple[str, ...] = ()
    become_root: str = "sudo -n"
    keys_folder: str = "/etc/ssh"
    dropbear: bool = False
    name_file: str = "/etc/hostname"
    state_size: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


# Of Debian's images, what no distribution without systemd has.
SYSTEMD = ("systemd-sysv", "systemd", "libpam-systemd", "libnss-systemd", "udev", "dbus")
# The Python that lightinit needs, and what its packages recommend, by the names in Debian.
PYTHON = (
    "python3",
    "python3-requests",
    "python3-netifaces",
    "python3-cryptography",
    "python3-yaml",
)
# What shows that a VM has other host keys than its image.
IMAGE_KEYS = "/etc/image-keys"
KEEP_IMAGE_KEYS = "cat /etc/ssh/ssh_host_*_key.pub >%s" % IMAGE_KEYS
# What every root has.
COMMON_FILES = {
    "/etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "/etc/hosts": (
        "127.0.0.1\tlocalhost\n127.0.1.1\timage\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    ),
}


def dropbear_keys(folder: str) -> str:
    """A command that prints the public parts of dropbear's host keys."""
    return (
        "for key in %s/dropbear_*_host_key; do dropbearkey -y -f $key | grep ^ssh-; done" % folder
    )


# A host key that the image has, and that the instance must not keep.
MAKE_DROPBEAR_KEY = (
    "dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key",
    "%s >%s" % (dropbear_keys("/etc/dropbear"), IMAGE_KEYS),
)
