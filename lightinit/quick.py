"""Checks at the start of each boot whether there is anything to do. It reads a few small files and
imports nothing that the interpreter has not loaded itself.

There is nothing to do if this version left a stamp when nothing was pending, DMI has the same
product_uuid as then, and the settings files have not changed since. If anything is unclear, the
full boot runs. The init scripts run the shell script ``check`` first, which asks the same without
Python. This file is for init systems that do not.
"""

# posix is built in. With -S, os is not loaded yet; importing it costs more than this whole file.
import posix

from lightinit import __version__

STAMP = "/var/lib/lightinit/instance/provisioned"
DROP_INS = "/etc/lightinit/conf.d/"
UUID = "/sys/class/dmi/id/product_uuid"


def root_of(argv):  # type: ignore[no-untyped-def]
    """The root that ``argv`` (without the program) boots; None for any other command."""
    if argv == ["boot"]:
        return ""
    if len(argv) == 3 and argv[0] == "boot" and argv[1] == "--root":
        return argv[2].rstrip("/")
    if len(argv) == 3 and argv[2] == "boot" and argv[0] == "--root":
        return argv[1].rstrip("/")
    return None


def provisioned(root):  # type: ignore[no-untyped-def]
    """The instance id if there is nothing to do on the machine at ``root`` ("" for this one), else
    None.
    """
    try:
        stamp = [line.partition("=") for line in _read(root + STAMP).splitlines()]
        said = {key: value for key, _, value in stamp}
        if (
            said["version"] != __version__
            or not said["uuid"]
            or _read(root + UUID).strip() != said["uuid"]
        ):
            return None
        for key, _, value in stamp:
            mark, _, path = value.partition(" ")
            if key == "file" and _mark(root + path) != mark:
                return None
        # The marks have whole seconds: they miss a file that came in the same second as the stamp.
        known = [value.partition(" ")[2] for key, _, value in stamp if key == "file"]
        drop_ins = [
            DROP_INS + name
            for name in _list(root + DROP_INS)
            if name[-5:] == ".conf" and name[0] != "."
        ]
        return said["instance"] if all(name in known for name in drop_ins) else None
    except (OSError, KeyError, ValueError):
        return None


def tell(text):  # type: ignore[no-untyped-def]
    """Print ``text`` on standard error. What nobody reads is lost: the boot must not wait."""
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_NONBLOCK | posix.O_NOCTTY
    try:
        try:
            descriptor = posix.open("/proc/self/fd/2", flags)
        except OSError:  # a socket, such as the journal's
            descriptor = 2
            posix.set_blocking(2, False)
        posix.write(descriptor, text.encode("ascii", "backslashreplace"))
    except OSError:
        pass  # closed, full or gone: there is nothing else to do


def _read(path):  # type: ignore[no-untyped-def]
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK)
    try:
        return posix.read(descriptor, 65536).decode("ascii")
    finally:
        posix.close(descriptor)


def _list(path):  # type: ignore[no-untyped-def]
    try:
        return posix.listdir(path)
    except OSError:
        return []


def _mark(path):  # type: ignore[no-untyped-def]
    try:
        found = posix.stat(path)
        return "%d.%d.%d" % (found.st_ino, found.st_mtime_ns // 1000000000, found.st_size)
    except OSError:
        return "-"
