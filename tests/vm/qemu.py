"""QEMU's command line, without KVM, and what it is told of a machine's hardware."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Sequence

from tests.lib.scratch import AZURE_TAG
from tests.vm.image import Image

# The kernel keeps a record of every program started, from the first on; it is read in
# /sys/kernel/tracing/trace.
TRACE = "trace_event=sched:sched_process_exec trace_buf_size=8M"
# On a busy host the kernel sees interrupts late, and measures the time stamp counter wrongly:
# no_timer_check: without it, one kernel in ten panics ("IO-APIC + timer doesn't work"), before it
#     has a console to say so.
# tsc=unstable: without it, some hang with a clock that races.
# panic=-1: whatever else it panics for, QEMU ends at once (-no-reboot).
BUSY_HOST = "no_timer_check tsc=unstable panic=-1"
# What costs an emulated processor much and is not tested: page tables of five levels, and modules
# that udev loads for the processor's features. The ciphers among them test themselves, with a
# modprobe for each variant; that was a fifth of a boot.
UNTESTED_MODULES = (
    "aesni_intel",
    "ghash_clmulni_intel",
    "sha1_ssse3",
    "sha256_ssse3",
    "sha512_ssse3",
    "crc32_pclmul",
    "crct10dif_pclmul",
    "kvm",
    "kvm_amd",
    "acpi_cpufreq",
    "pcc_cpufreq",
    "powernow_k8",
    "evdev",
    "serio_raw",
    "button",
)
# What else is not tested, and costs a fifth of a boot: memory is cleared when it is given out, and
# counted; each exec is audited; programs lie at other addresses each time. No profile of AppArmor's
# is in these images. lsm= keeps SELinux from taking its place.
CHEAPER = " ".join(
    (
        "mitigations=off nosmap no5lvl nokaslr norandmaps randomize_kstack_offset=off",
        "init_on_alloc=0 hardened_usercopy=off transparent_hugepage=never cgroup_disable=memory",
        "audit=0 psi=0 lsm=yama",
        "modprobe.blacklist=" + ",".join(UNTESTED_MODULES),
    )
)
KERNEL_LINE = " ".join(
    [
        "root=/dev/vda rw console=ttyS0 net.ifnames=0 loglevel=4 systemd.log_color=0",
        BUSY_HOST,
        CHEAPER,
        TRACE,
    ]
)


class Hardware(NamedTuple):
    """What makes a machine this one and no other.

    Attributes:
        uuid: DMI's product_uuid.
        mac: of its NIC.
        asset_tag: DMI's chassis asset tag; "" for none.
        rtc: what the clock says at power on, as QEMU wants it.
        vendor, product: DMI's sys_vendor and product_name; "" for QEMU's own.
    """

    uuid: str
    mac: str
    asset_tag: str = AZURE_TAG
    rtc: str = "utc"
    vendor: str = ""
    product: str = ""


def command_line(
    image: Image,
    disk: Path,
    hardware: Hardware,
    tap: str,
    sockets: Path,
    kernel_words: Sequence[str],
) -> List[str]:
    """The command that runs a machine.

    Args:
        image: whose kernel it is started with.
        disk: of its own.
        hardware: what it is.
        tap: the device that its NIC is behind.
        sockets: where QEMU makes two: console, qmp.
        kernel_words: further words for the kernel's command line.
    """
    words = {
        "-machine": "pc",
        "-accel": "tcg,thread=multi",
        # Without "rep movsb": an emulated processor copies byte by byte. It saves a fifth.
        "-cpu": "max,-erms",
        # One processor: two machines that run side by side leave no CPU of the host idle.
        "-smp": "1",
        "-m": "768",
        "-display": "none",
        "-uuid": hardware.uuid,
        "-rtc": "base=" + hardware.rtc,
        "-kernel": str(image.kernel),
        "-initrd": str(image.initrd),
        "-append": " ".join([KERNEL_LINE, *kernel_words]),
        "-drive": "if=none,id=root,format=%s,file=%s" % (disk_format(disk), disk),
        "-netdev": "tap,id=net,ifname=%s,script=no,downscript=no" % tap,
        "-chardev": "socket,id=console,server=on,wait=on,path=%s" % (sockets / "console"),
        "-serial": "chardev:console",
        "-qmp": "unix:%s,server=on,wait=off" % (sockets / "qmp"),
    }
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-reboot"]
    argv += [word for pair in words.items() for word in pair]
    argv += ["-device", "virtio-blk-pci,drive=root"]
    argv += ["-device", "virtio-net-pci,netdev=net,romfile=,mac=" + hardware.mac]
    if hardware.asset_tag:
        argv += ["-smbios", "type=3,asset=" + hardware.asset_tag]
    system = [("manufacturer", hardware.vendor), ("product", hardware.product)]
    if any(value for _, value in system):
        given = ["%s=%s" % each for each in system if each[1]]
        argv += ["-smbios", ",".join(["type=1", *given])]
    return argv


def disk_format(disk: Path) -> str:
    """What QEMU calls the kind of disk that the file is."""
    return "qcow2" if disk.suffix == ".qcow2" else "raw"


def more_disks(disks: Sequence[Path]) -> List[str]:
    """QEMU's words for further disks: the guest sees the first as /dev/vdb."""
    argv = []
    for disk in disks:
        drive = "if=none,id=%s,format=%s,file=%s" % (disk.stem, disk_format(disk), disk)
        argv += ["-drive", drive, "-device", "virtio-blk-pci,drive=" + disk.stem]
    return argv


def optical_drive(medium: Path) -> List[str]:
    """QEMU's words for a drive with ``medium`` in it, on the controller that Gen1 VMs have it
    on.
    """
    return [
        "-blockdev",
        "driver=raw,node-name=medium,read-only=on,file.driver=file,file.filename=%s" % medium,
        "-device",
        "ide-cd,drive=medium,id=dvd",
    ]


def empty_drive() -> List[str]:
    """QEMU's words for the same drive without a medium."""
    return ["-device", "ide-cd,id=dvd"]


# A medium for a drive: each read takes an hour. It goes in when the kernel runs, since the firmware
# would read it too.
HANGING_MEDIUM = {
    "driver": "null-co",
    "node-name": "medium",
    "size": 1048576,
    "latency-ns": 3600000000000,
    "read-only": True,
}
