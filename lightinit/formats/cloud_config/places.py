"""Places where only ``write_files``, which has checks of its own, may write: a login needs the
files there.
"""

from __future__ import annotations

from posixpath import normpath

from lightinit.formats.cloud_config.readers.section import Section

CLOSED = (
    "/bin",
    "/boot",
    "/dev",
    "/etc/doas.conf",
    "/etc/doas.d",
    "/etc/fstab",
    "/etc/group",
    "/etc/gshadow",
    "/etc/ld.so.conf",
    "/etc/ld.so.preload",
    "/etc/lightinit",
    "/etc/login.defs",
    "/etc/nsswitch.conf",
    "/etc/pam.conf",
    "/etc/pam.d",
    "/etc/passwd",
    "/etc/profile",
    "/etc/securetty",
    "/etc/security",
    "/etc/shadow",
    "/etc/shells",
    "/etc/ssh",
    "/etc/subgid",
    "/etc/subuid",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/var/lib/lightinit",
)
WHAT = "a login needs what is there"


def read_place(section: Section, key: str, example: str) -> str:
    """The path of a file to write, "" if there is none. If it is no absolute path, or one of these,
    that is a mistake.

    Args:
        section: where it is given.
        key: its key.
        example: a path that is right, for the mistake.
    """
    path = section.line(key).strip()
    what = "" if path.startswith("/") else "it is no absolute path"
    if not what and is_closed(path):
        what = WHAT
    if not path or not what:
        return path
    section.wrong(key, what, "such as " + example)
    return ""


def is_closed(path: str) -> bool:
    """Whether a path is one of these, or below one of them.

    Args:
        path: an absolute path.
    """
    plain = normpath("/" + path.lstrip("/"))
    return "/.ssh/" in plain or any((plain + "/").startswith(each + "/") for each in CLOSED)
