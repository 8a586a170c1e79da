"""Checks at the start of each boot whether there is anything to do. It reads a few small files and
imports nothing but a checksum that the interpreter has not loaded itself.

There is nothing to do if this version left a stamp when nothing was pending, what names the
instance is as it was then (DMI's product_uuid, unless the stamp says what else), and the settings
files have not changed since. If anything is unclear, the full boot runs. The init scripts run the
shell script ``check`` first, which asks the same without Python. This file is for init systems that
do not.
"""

# posix is built in. With -S, os is not loaded yet; importing it costs more than this whole file.
import posix

from lightinit import __version__

STAMP = "/var/lib/lightinit/instance/provisioned"
SETTINGS = "/etc/lightinit/"
EACH_BOOT = "hooks.d/per-boot"  # hooks of each boot: lightinit/hooks/
DROP_INS = "conf.d/"
MAIN_FILE = "lightinit.conf"
UUID = "/sys/class/dmi/id/product_uuid"
# udev's links to the volumes.
BY_LABEL, BY_UUID = "/dev/disk/by-label", "/dev/disk/by-uuid"
UDEV, UDEV_QUEUE = "/run/udev/control", "/run/udev/queue"  # the second one while it is at work
READ_BYTES = 512 * 1024  # a larger file is no settings file
ENOENT = 2


def root_of(argv):  # type: ignore[no-untyped-def]
    """The root that ``argv`` (without the program) boots; None for any other command."""
    if argv in (["boot"], ["boot", "--background"]):
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
        stamp = [line.partition("=") for line in _read(root + STAMP).decode("ascii").splitlines()]
        said = {key: value for key, _, value in stamp}
        if said["version"] != __version__ or not _same(root, stamp, said):
            return None
        if _exists(root + SETTINGS + EACH_BOOT):
            return None
        known = [value for key, _, value in stamp if key == "file"]
        drop_ins = [
            DROP_INS + name
            for name in _list(root + SETTINGS + DROP_INS)
            if name[-5:] == ".conf" and name[0] != "."
        ]
        for name in [MAIN_FILE] + drop_ins:
            if _mark(root + SETTINGS + name) + " " + name not in known:
                return None
        return said["instance"] if len(known) == len(drop_ins) + 1 else None
    except (OSError, KeyError, ValueError):
        return None


def _same(root, stamp, said):  # type: ignore[no-untyped-def]
    """Whether what names the instance is as it was."""
    anchors = [value for key, _, value in stamp if key == "anchor"]
    for value in anchors:
        mark, _, path = value.rpartition(" ")
        if _mark(root + path) != mark:
            return False
        if mark == "-" and path[:5] == "/dev/" and not _has_links(root):
            return False  # nothing says that no volume is there
    for value in [value for key, _, value in stamp if key == "volume"]:
        label, _, uuid = value.partition(" ")
        one = posix.stat("%s%s/%s" % (root, BY_LABEL, label))
        other = posix.stat("%s%s/%s" % (root, BY_UUID, uuid))
        if (one.st_dev, one.st_ino, one.st_rdev) != (other.st_dev, other.st_ino, other.st_rdev):
            return False
    if anchors:
        return True
    wanted = said.get("uuid", said["instance"]).encode("ascii")
    return wanted and _read(root + UUID).strip() == wanted


def _has_links(root):  # type: ignore[no-untyped-def]
    """Whether udev's links to the volumes are all there."""
    return _exists(root + UDEV) and not _exists(root + UDEV_QUEUE)


def cksum(data):  # type: ignore[no-untyped-def]
    """The first two words of the output of ``cksum``, for ``data`` (bytes): checksum and size.

    Source: POSIX, "cksum". The polynomial is that of ``binascii.crc32``. But the bits of each byte
    are in the other order, it begins with 0, and the size is at the end.
    """
    from binascii import crc32

    left, size = len(data), []
    while left:
        size.append(left & 0xFF)
        left >>= 8
    mirrored = bytes(int(format(byte, "08b")[::-1], 2) for byte in range(256))
    found = crc32((data + bytes(size)).translate(mirrored), 0xFFFFFFFF)
    return "%d %d" % (int(format(found, "032b")[::-1], 2), len(data))


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
        return posix.read(descriptor, READ_BYTES)
    finally:
        posix.close(descriptor)


def _exists(path):  # type: ignore[no-untyped-def]
    try:
        posix.stat(path)
    except FileNotFoundError:
        return False
    return True  # or an error, which the caller takes for unclear


def _list(path):  # type: ignore[no-untyped-def]
    try:
        return posix.listdir(path)
    except OSError:
        return []


def _mark(path):  # type: ignore[no-untyped-def]
    """The mark of a file; see lightinit.settings.Settings."""
    try:
        data = _read(path)
    except OSError as error:
        if error.errno == ENOENT:
            return "-"
        raise
    if len(data) == READ_BYTES:
        raise ValueError("only its beginning is known")
    return cksum(data)
