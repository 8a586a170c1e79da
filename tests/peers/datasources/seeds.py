"""One machine's data, as each platform has them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple

from lightinit.emulator.host_side.images import make_iso9660, write_image
from lightinit.emulator.seeds.documents import (
    LABELS,
    SeedData,
    configdrive_files,
    nocloud_files,
)
from tests.peers.media import Drive
from tests.peers.user_data.inside.seed import HOSTNAME, INSTANCE_ID, KEY

HERE = Path(__file__).parent
USER_DATA = (HERE / "user-data").read_bytes()
VENDOR_DATA = (HERE / "vendor-data").read_bytes()
UUID = "83679162-1378-4288-a2d4-70e13ec132aa"
DOMAIN = ".novalocal"
DATA = SeedData(USER_DATA, VENDOR_DATA, None, None, INSTANCE_ID, HOSTNAME, (KEY,))
FOLDER = "/var/lib/cloud/seed/nocloud/"
QEMU = {"sys_vendor": "QEMU", "product_name": "Standard PC"}
EC2_UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
NITRO = {"sys_vendor": "Amazon EC2", "product_uuid": EC2_UUID, "product_serial": EC2_UUID}
NOVA = {"sys_vendor": "OpenStack Foundation", "product_name": "OpenStack Nova"}


class Seeded(NamedTuple):
    """How a machine gets its data; the arguments of ``SeededMachines.provision_from``."""

    dmi: Dict[str, str]
    files: Dict[str, bytes] = {}
    drive: str = ""
    platform: str = ""
    instance: Dict[str, Any] = {}


@contextlib.contextmanager
def make_folder(folder: Path) -> Iterator[Seeded]:
    """A seed folder of NoCloud."""
    yield Seeded(QEMU, {FOLDER + name: data for name, data in nocloud_files(DATA).items()})


@contextlib.contextmanager
def make_cidata(folder: Path) -> Iterator[Seeded]:
    """A volume of NoCloud."""
    with _drive(folder, nocloud_files(DATA), LABELS["nocloud"]) as number:
        yield Seeded(QEMU, {}, number)


@contextlib.contextmanager
def make_url(folder: Path) -> Iterator[Seeded]:
    """A seed of NoCloud on a web server, which SMBIOS' serial number names."""
    files = {name: data.decode() for name, data in nocloud_files(DATA).items()}
    serial = "ds=nocloud-net;s=http://169.254.169.254/"
    yield Seeded({**QEMU, "product_serial": serial}, {}, "", "web", files)


@contextlib.contextmanager
def make_config_drive(folder: Path) -> Iterator[Seeded]:
    """A config drive of OpenStack, with an injected file."""
    data = DATA._replace(
        instance_id=UUID, host_name=HOSTNAME + DOMAIN, files={"/srv/injected": b"injected\n"}
    )
    with _drive(folder, configdrive_files(data), LABELS["configdrive"]) as number:
        yield Seeded(QEMU, {}, number)


@contextlib.contextmanager
def make_openstack(folder: Path) -> Iterator[Seeded]:
    """The metadata service of OpenStack."""
    instance = {
        "uuid": UUID,
        "hostname": HOSTNAME + DOMAIN,
        "name": HOSTNAME,
        "public_keys": {"admin": KEY},
        "user_data": USER_DATA.decode(),
        "vendor_data": {"cloud-init": VENDOR_DATA.decode()},
    }
    yield Seeded(NOVA, {}, "", "openstack", instance)


@contextlib.contextmanager
def make_ec2(folder: Path) -> Iterator[Seeded]:
    """The metadata service of EC2, which wants tokens. It has no vendor data."""
    instance = {
        "meta-data": {"public-keys": {"my-key": None, "admin": KEY}},
        "user-data": USER_DATA.decode(),
    }
    yield Seeded(NITRO, {}, "", "ec2", instance)


@contextlib.contextmanager
def _drive(folder: Path, files: Dict[str, bytes], label: str) -> Iterator[str]:
    image = folder / "seed.iso"
    write_image(str(image), files, lambda path, content: make_iso9660(path, content, label))
    with Drive(image) as drive:
        yield drive.number


# By the names in the table of docs/datasources.md.
SEEDS = {
    "folder": make_folder,
    "cidata": make_cidata,
    "url": make_url,
    "config": make_config_drive,
    "openstack": make_openstack,
    "ec2": make_ec2,
}
