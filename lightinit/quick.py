"""The first question of every boot: is there anything to do? Answered from five small files, without importing anything
that the interpreter has not loaded itself.

"No" needs all of this: a stamp that this version left when nothing was pending, the same instance id in DMI as in the
stamp, and settings files that have not changed since. Whatever is unclear means "maybe", and the real thing runs.
"""
import posix  # built in; with -S not even os is loaded yet, and it costs more than all that is done here

from lightinit import __version__

STAMP = "/var/lib/lightinit/instance/provisioned"
UUID = "/sys/class/dmi/id/product_uuid"
FOLDER = "/etc/lightinit"


def root_of(argv):  # type: ignore[no-untyped-def]
    """The root that ``argv`` (without the program) boots, or None when it asks for anything but a plain boot."""
    if argv == ["boot"]:
        return ""
    if len(argv) == 3 and argv[0] == "boot" and argv[1] == "--root":
        return argv[2].rstrip("/")
    if len(argv) == 3 and argv[2] == "boot" and argv[0] == "--root":
        return argv[1].rstrip("/")
    return None


def provisioned(root):  # type: ignore[no-untyped-def]
    """The instance id when nothing is to do on the machine at ``root`` ("" for this one), else None."""
    try:
        stamp = dict(line.split("=", 1) for line in _read(root + STAMP).splitlines())
        if not _same(_read(root + UUID).strip().lower(), stamp["instance"].lower()):
            return None
        drop_ins = sorted(name for name in _list(root + FOLDER + "/conf.d") if name[-5:] == ".conf" and name[0] != ".")
        paths = [FOLDER, FOLDER + "/conf.d", FOLDER + "/lightinit.conf"]
        paths += [FOLDER + "/conf.d/" + name for name in drop_ins]
        if stamp["version"] != __version__:
            return None
        if ",".join([_mark(root + path) for path in paths]) != stamp["settings"]:
            return None
        return stamp["instance"]
    except (OSError, KeyError, ValueError):
        return None


def _read(path):  # type: ignore[no-untyped-def]
    descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK)
    try:
        return posix.read(descriptor, 4096).decode("ascii")
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
        return "%d.%d" % (found.st_mtime_ns, found.st_size)
    except OSError:
        return "-"


def _same(one, other):  # type: ignore[no-untyped-def]
    if one == other:
        return True
    if len(one) != 36 or len(other) != 36:
        return False
    first, second, third, rest = one[:8], one[9:13], one[14:18], one[18:]
    swapped = "-".join("".join(part[at:at + 2] for at in range(len(part) - 2, -1, -2))
                       for part in (first, second, third))
    return swapped + rest == other
