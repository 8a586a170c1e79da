"""The first question of every boot: is there anything to do? Answered from a few small files,
without importing anything that the interpreter has not loaded itself.

"No" needs all of this: a stamp that this version left when nothing was pending, the same
product_uuid in DMI as then, and settings files that have not changed since. Whatever is unclear
means "maybe", and the real thing runs. Init systems ask the same of the shell script ``check``
first, which does not start Python; this is for those that do not.
"""

# built in; with -S not even os is loaded yet, and it costs more than all that is done here
import posix

from lightinit import __version__

STAMP = "/var/lib/lightinit/instance/provisioned"
DROP_INS = "/etc/lightinit/conf.d/"
UUID = "/sys/class/dmi/id/product_uuid"


def root_of(argv):  # type: ignore[no-untyped-def]
    """The root that ``argv`` (without the program) boots, or None when it asks for anything but a
    plain boot.
    """
    if argv == ["boot"]:
        return ""
    if len(argv) == 3 and argv[0] == "boot" and argv[1] == "--root":
        return argv[2].rstrip("/")
    if len(argv) == 3 and argv[2] == "boot" and argv[0] == "--root":
        return argv[1].rstrip("/")
    return None


def provisioned(root):  # type: ignore[no-untyped-def]
    """The instance id when nothing is to do on the machine at ``root`` ("" for this one), else
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
        # A file that came within the second in which its directory was stamped changes no mark.
        known = [value.partition(" ")[2] for key, _, value in stamp if key == "file"]
        drop_ins = [
            DROP_INS + name
            for name in _list(root + DROP_INS)
            if name[-5:] == ".conf" and name[0] != "."
        ]
        return said["instance"] if all(name in known for name in drop_ins) else None
    except (OSError, KeyError, ValueError):
        return None


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
