"""What is in files of the machine, or what its programs print."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from lightinit.formats import (
    assignments,
    file_entries,
    hostname,
    hosts_file,
    instance_id,
    timezone,
)
from lightinit.formats.accounts import (
    admin_account,
    login_defs,
    passwd,
    passwords,
    privileges,
    removal,
)
from lightinit.formats.accounts.passwd import Account
from lightinit.formats.dhcp.clients import read_leases
from lightinit.formats.disks import (
    fstab,
    growth,
    mounts,
    ntfs,
    octal,
    partition_table,
    resource_disk,
    signatures,
)
from lightinit.formats.disks.partition_table import Partition
from lightinit.formats.services import mac_addresses
from lightinit.formats.ssh import (
    authorized_keys,
    host_keys,
    login_limits,
    login_rules,
    login_words,
    origins,
    password_policy,
    public_keys,
    sshd_config,
)
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.formats.ssh.sshd_config import Who
from lightinit.settings import ini
from tests.lib.disk_images import ntfs as ntfs_image
from tests.lib.leases import DHCLIENT, NETWORKD, NM_DEVICE, NOW_S
from tests.lib.readers.reader import Reader, text

KEY = PublicKey("ssh-rsa", b"abc", b"ssh-rsa YWJj")
WHOLE_KEY = public_keys.read_key(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a"
)
BOB = Account("bob", 1000, 1000, "/home/bob", "/bin/sh")
WHO = Who("bob", ("bob", "wheel"))
SSHD = b"PasswordAuthentication no\nMatch User bob\nAuthorizedKeysFile /k/%u\nHostKey /etc/x\n"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n"
GROUP = b"wheel:x:10:root,bob\nbob:x:1000:\n"


def _accounts(data: bytes) -> None:
    given = text(data)
    passwd.find_account(given, "bob")
    passwd.find_group(given, "bob")
    passwd.list_groups(given, "bob")
    passwd.list_group_names(given, 7)
    passwd.used_ids(given)
    passwd.is_password_hash(passwd.find_password(given, given, "bob"))
    passwd.must_change_password(given, "bob")
    passwd.put_line(given, "bob:x:1:1:::")
    passwd.set_password(given, "bob", "*", 3)
    passwd.add_member(given, "wheel", "alice")


def _removal(data: bytes) -> None:
    given = text(data)
    removal.drop_lines(given, "bob")
    removal.drop_member(given, "bob")
    removal.own_group_goes(given, given, BOB)
    removal.homes_of_others(given, BOB)
    removal.drop_sudoers_rule(given, "bob")
    removal.drop_doas_rule(given, "bob")
    removal.drop_rules_of_user(given, "bob")
    removal.names_user(given, "bob")


def _mac_addresses(data: bytes) -> None:
    given, known = text(data), ["00:0d:3a:01:02:03"]
    mac_addresses.read_addresses(given)
    mac_addresses.find_addresses(given, known)
    mac_addresses.drop_assignments(given, "HWADDR", known, bool)
    mac_addresses.drop_from_netplan(given, known)


def _privileges(data: bytes) -> None:
    given = text(data)
    privileges.edit_sudoers_file(given, "bob", True, ["alice"])
    privileges.includes_folder(given, "/etc/sudoers.d")
    privileges.edit_doas_conf(given, "bob", False)


def _login_defs(data: bytes) -> None:
    found = login_defs.read_login_defs(text(data))
    login_defs.read_uid_min(text(data))
    login_defs.home_mode(found)
    login_defs.read_useradd_defaults(text(data))


def _hosts(data: bytes) -> None:
    given = text(data)
    hosts_file.edit_hosts(given, "web-2.example", ["web-1", "web-1.example"])
    hosts_file.drop_host(given, ["web-1", "web-1.example"])
    hosts_file.addresses_of_host(given, ["web-1"])


def _fstab(data: bytes) -> None:
    given = text(data)
    line = fstab.FstabLine("LABEL=a", "/mnt", "ext4", "defaults")
    fstab.set_entries(given, [line])
    fstab.has_ours(given)
    fstab.other_sources(given, "/mnt")
    fstab.unit_name(given, "mount")
    fstab.are_options(given)
    fstab.why_not_mount_point(given)


def _mounts(data: bytes) -> None:
    mounts.find_mount(text(data), "/mnt")
    mounts.parse_swaps(text(data))
    octal.escape(text(data))


def _disk(data: bytes) -> None:
    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size].ljust(size, b"\0")

    for reading in (ntfs.survey, signatures.find_signatures):
        try:
            reading(read, 0, max(len(data), 65536))
        except ntfs.MalformedError:
            pass
    resource_disk.assess(read, 64 * 1024 * 1024)
    partition_table.read_table(read, 1 << 40)


def _authorized_keys(data: bytes) -> None:
    authorized_keys.merge(data, [KEY])
    authorized_keys.count_keys(data)


def _one_file(body: str) -> "List[str]":
    return [body]


def _sshd_config(data: bytes) -> None:
    given = text(data)
    sshd_config.read_keys_files(given, WHO, lambda pattern: [])
    sshd_config.read_host_keys(given, lambda pattern: [])
    sshd_config.expand_tokens(given, "bob", 1000, "/home/bob")


def _password_policy(data: bytes) -> None:
    given = text(data)
    nothing: Sequence[Tuple[str, str]] = ()
    password_policy.drop_in_counts(given, "/etc/ssh/sshd_config.d/50-a.conf", lambda _: nothing)
    password_policy.contrary_matches(given, True, lambda _: nothing)
    password_policy.put_block(given, "a\n")


def _origins(data: bytes) -> None:
    nothing: Sequence[Tuple[str, str]] = ()
    conditions = origins.list_conditions(text(data), lambda _: nothing)
    origins.make_a_difference(conditions)
    origins.list_addresses(conditions)
    origins.find_port(text(data), lambda _: nothing)


def _effective(data: bytes) -> None:
    effective = Effective(text(data))
    login_words.refuse_key(effective, WHOLE_KEY)
    login_words.doubt_key(effective, WHOLE_KEY)
    login_words.refuse_means(effective, login_words.Means(2, True))
    login_words.refuse_root(effective, login_words.Means(2, True))
    login_limits.refuse_session(effective)
    login_limits.doubt_session(effective)
    login_limits.refuse_host_keys(effective, ["ssh-rsa"])
    login_limits.split_root(effective)
    login_words.listens_for(effective, "fd00::1")
    login_words.key_commands(effective)
    login_words.judge_listening(effective, ["10.0.0.4", "fd00::1"])
    login_rules.judge_lists(effective, WHO)
    password_policy.in_force(effective, True)
    password_policy.keys_in_force(effective)


def _assignments(data: bytes) -> None:
    assignments.read_assignment(text(data), "hostname")
    assignments.edit_assignment(text(data), "hostname", "b", True)


def _hostname(data: bytes) -> None:
    hostname.read_plain(text(data))
    hostname.edit_plain(text(data), "web-1")
    hostname.clean_hostname(text(data))


def _entry(data: bytes) -> None:
    file_entries.parse_entry(text(data), 1)


def _lease_reader(client: str) -> "Reader":
    def read(data: bytes) -> None:
        read_leases(client, data, NOW_S, written_s=NOW_S)

    frames = {
        "dhclient": (
            (b'lease { fixed-address 10.0.0.1; option unknown-245 "', b'"; }'),
            (b"lease { fixed-address 10.0.0.1; option unknown-245 ", b"; }"),
            (b'lease { option a "', b""),
            (b"lease { fixed-address 10.0.0.1; option unknown-121 ", b"; }"),
            (b"lease { fixed-address 10.0.0.1; expire ", b"; }"),
        ),
        "networkd": (
            (b"ADDRESS=10.0.0.1\nROUTES=", b"\n"),
            (b"ADDRESS=10.0.0.1\nROUTES=1.1.1.1/1", b"x\n"),
            (b"ADDRESS=10.0.0.1\nOPTION_245=", b"\n"),
            (b"ADDRESS=10.0.0.1\nLIFETIME=", b"\n"),
            (b"ADDRESS=", b"\n"),
        ),
        "networkmanager": (
            (b"[dhcp4]\nip_address=10.0.0.1\nrouters=", b"\n"),
            (b"GENERAL.DEVICE: ", b"\nDHCP4.OPTION[1]: ip_address = 10.0.0.1\n"),
            (b"DHCP4.OPTION[", b"]: ip_address = 10.0.0.1\n"),
        ),
    }
    packet = b"\x02".ljust(16, b"\0") + b"\x0a\0\0\1" + bytes(216) + b"\x63\x82\x53\x63"
    items = {
        "dhclient": (
            (b"", b"lease { fixed-address 10.0.0.1; }\n", b""),
            (b"", b'lease { interface "e%d"; fixed-address 10.0.0.1; }\n', b""),
            (b"", b"lease {", b""),
            (b'lease { option a "', b'" ', b""),
            (b"lease { fixed-address 10.0.0.1; ", b"option o%d 1; ", b"}"),
        ),
        "networkd": (
            (b"ADDRESS=10.0.0.1\nROUTES=", b"1.1.1.1/1 1.1.1.1 ", b"\n"),
            (b"ADDRESS=10.0.0.1\nROUTES=", b"0 ", b"\n"),
            (b"ADDRESS=10.0.0.1\nROUTES=", b"0:", b"x\n"),
            (b"", b"A%d=1\n", b""),
            (b'{"DHCPv4Client":{"Lease":1,"PrivateOptions":[', b'{"Option":3},', b"{}]}}"),
            (
                b'{"DHCPv4Client":{"Lease":{"Message":{"yiaddr":"0a000001","options":[',
                b'{"tag":121,"data":"00"},',
                b"{}]}}}}",
            ),
            (b"", b"[", b""),
            (b'{"Interfaces":[', b'{"DHCPv4Client":{"Lease":{"Message":{}}}},', b"{}]}"),
        ),
        "networkmanager": (
            (b"", b"DHCP4.OPTION[1]: ip_address = 10.0.0.1\n\n", b""),
            (b"[dhcp4]\n", b"a%d=\\s\n", b""),
        ),
        "dhcpcd": (
            (packet, b"\x79\x01a", b""),
            (packet, b"\x79\x00", b""),
            (packet, b"\x79\xff" + b"\x20" * 255, b"\xff"),
        ),
    }
    seeds = {"dhclient": DHCLIENT, "networkd": NETWORKD, "networkmanager": NM_DEVICE}
    return Reader(
        "dhcp." + client,
        read,
        frames.get(client, ((b"ip=", b"\n"),)),
        items.get(client, ()),
        (seeds.get(client, packet + b"\x35\x01\x05\xff"),),
    )


READERS = tuple(
    _lease_reader(client)
    for client in ("dhclient", "networkd", "networkmanager", "dhcpcd", "udhcpc")
) + (
    Reader(
        "accounts.passwd",
        _accounts,
        ((b"bob:", b":1:1:::\n"), (b"bob:x:", b":2::/h:/bin/sh\n")),
        ((b"", b"bob:x:%d:1:::\n", b""), (b"wheel:x:1:", b"a%d,", b"\n")),
        (PASSWD, GROUP),
    ),
    Reader("accounts.admin_account", lambda data: admin_account.check_user_name(text(data))),
    Reader(
        "accounts.removal",
        _removal,
        ((b"bob:", b"\n"),),
        ((b"", b"bob:x:1:bob,bob\n", b""), (b"a:b:", b"bob,", b"\n")),
        (PASSWD,),
    ),
    Reader(
        "services.mac_addresses",
        _mac_addresses,
        ((b"HWADDR=", b"\n"), (b"match:\n  macaddress: ", b"\n"), (b"", b"match:\n")),
        (
            (b"", b"HWADDR=00:0d:3a:01:02:03\n", b""),
            (b"", b"match:\n  macaddress: 00:0d:3a:01:02:03\nset-name: a\n", b""),
            (b"", b"match:\n", b"  a: b\n"),
            (b"", b"set-name: a\n", b"match:\n"),
            (b"", b"00:", b""),
        ),
        (b"a:\n  match:\n    macaddress: 00:0d:3a:01:02:03\n  set-name: eth0\n",),
    ),
    Reader(
        "accounts.privileges",
        _privileges,
        ((b"#includedir ", b"/etc/sudoers.d"), (b"bob", b" ALL=(ALL:ALL) ALL")),
        ((b"", b"alice ALL=(ALL:ALL) ALL\n", b""), (b"", b"#includedir \n", b"")),
        (b"alice ALL=(ALL:ALL) NOPASSWD:ALL\n",),
    ),
    Reader(
        "accounts.login_defs",
        _login_defs,
        ((b"UID_MIN ", b"\n"), (b"UMASK ", b"\n")),
        ((b"", b"A%d b\n", b""),),
        (b"UID_MIN 1000\nUMASK 022\nSHELL=/bin/sh\n",),
    ),
    Reader("accounts.check_password", lambda data: passwords.check_password(text(data), "bob")),
    Reader(
        "hosts_file",
        _hosts,
        (
            (b"127.0.1.1 web-1", b" x\n"),
            (b"127.0.1.1", b"web-1 # lightinit\n"),
            (b"127.0.1.1 web-1 #", b"\n"),
        ),
        (
            (b"127.0.1.1 ", b"web-1 ", b"\n"),
            (b"127.0.1.1 ", b"web-1  a%d ", b"\n"),
            (b"", b"127.0.1.1 web-1\n", b""),
            (b"", b"127.0.1.1 web-1 a%d # lightinit\n", b""),
            (b"", b"10.0.0.%d web-1\n", b""),
        ),
        (b"127.0.0.1 localhost\n127.0.1.1 web-1 # lightinit\n",),
    ),
    Reader(
        "hostname",
        _hostname,
        ((b"a", b"b"), (b"# ", b"\nname\n")),
        ((b"", b"a.", b"b"), (b"", b"# a\n", b"")),
    ),
    Reader("instance_id", lambda data: instance_id.same_instance(text(data), text(data))),
    Reader(
        "timezone",
        timezone.read_posix_rule,
        ((b"TZif2" + bytes(40) + b"\n", b"\n"), (b"TZif2" + bytes(40), b"x")),
        ((b"TZif2" + bytes(40), b"\na", b"\0"),),
    ),
    Reader(
        "timezone.name", lambda data: timezone.is_zone_name(text(data)), items=((b"", b"a/", b""),)
    ),
    Reader(
        "assignments",
        _assignments,
        ((b"hostname=", b"\n"), (b'hostname="', b"\n"), (b"", b"hostname=a\n")),
        ((b"", b"hostname=a\n", b""), (b"", b"hostname='a\n", b"")),
    ),
    Reader(
        "file_entries",
        _entry,
        (
            (b"/a text=", b""),
            (b"/a ", b" text=b"),
            (b"/a base64=", b""),
            (b"/", b" text=b"),
            (b"/a mode=", b" text=b"),
            (b"/a owner=", b" text=b"),
        ),
        ((b"/a text=", b"\\n", b""), (b"/a text=", b"a\\\\", b"\\"), (b"", b"/a", b" text=b")),
        (
            b"/etc/motd text=a\\n",
            b"/a gzip=H4sIAAAAAAAC/0tMSk4BAMAgU3EEAAAA",
            b"/a mode=0600 owner=a:b append source=/b",
        ),
    ),
    Reader(
        "disks.fstab",
        _fstab,
        ((b"LABEL=a /mnt", b" ext4 defaults 0 0\n"), (b"", b"# lightinit")),
        ((b"", b"LABEL=a /mnt ext4 a 0 0 # lightinit\n", b""), (b"", b"a /mnt ext4 a 0 0\n", b"")),
    ),
    Reader(
        "disks.mounts",
        _mounts,
        ((b"1 2 8:1 / /mnt rw - ext4 ", b" rw\n"), (b"Filename\n/a partition ", b" 0\n")),
        ((b"", b"1 2 8:1 / /mnt rw - ext4 a rw\n", b""), (b"", b"\\040", b"")),
        (b"Filename\n/swapfile file 1024 0\n",),
    ),
    Reader("disks.octal", lambda data: octal.unescape(text(data))),
    Reader(
        "disks.growth",
        lambda data: growth.edit_dump(text(data), Partition(1, 1048576, 1048576), 4194304, 512),
        (
            (b"unit: sectors\n", b" : start= 2048, size= 2048,"),
            (b"unit: sectors\n/dev/a : start=", b"2048, size= 2048"),
        ),
        ((b"unit: sectors\n", b"/a : start= 2048, size= 2048,\n", b""),),
    ),
    Reader(
        "disks",
        _disk,
        ((b"", b""),),
        (),
        (ntfs_image("fresh")[:65536], ntfs_image("used")[:65536]),
        256 * 1024,
    ),
    Reader(
        "ssh.authorized_keys",
        _authorized_keys,
        (  # S4: a quote that is not closed
            (b"a=", b" ssh-rsa YWJj\n"),
            (b'command="', b'" ssh-rsa YWJj'),
            (b'"', b" ssh-rsa YWJj"),
            (b"ssh-rsa ", b"\n"),
            (b"# ", b"\n"),
        ),
        (
            (b"", b"ssh-rsa YWJj\n", b""),
            (b"", b"ssh-rsa YWJj%d\n", b""),
            (b"", b'a="b",', b" ssh-rsa YWJj"),
            (b"", b'a="\\",', b" ssh-rsa YWJj"),
            (b'"', b'"\\"', b" ssh-rsa YWJj"),
        ),
        (b'from="10.0.0.1" ssh-rsa YWJj me\n',),
    ),
    Reader(
        "ssh.public_keys",
        lambda data: public_keys.read_key(text(data)),
        ((b"ssh-rsa ", b""), (b'a="', b'" ssh-rsa AAAA'), (b"", b" ssh-rsa AAAA")),
        (),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a",),
    ),
    Reader("ssh.host_keys", host_keys.fingerprint, ((b"ssh-rsa ", b""),)),
    Reader(
        "ssh.host_keys.private",
        lambda data: host_keys.read_private(text(data)),
        (
            (b"-----BEGIN RSA PRIVATE KEY-----\n", b"\n-----END RSA PRIVATE KEY-----\n"),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA", b"\n-----END"),
        ),
        ((b"-----BEGIN RSA PRIVATE KEY-----\n", b"AA\n", b"-----END RSA PRIVATE KEY-----\n"),),
    ),
    Reader(
        "ssh.host_keys.certificate",
        lambda data: host_keys.read_certificate(text(data)),
        ((b"ssh-ed25519-cert-v01@openssh.com ", b""),),
    ),
    Reader(
        "ssh.host_keys.names",
        lambda data: (
            host_keys.is_host_key_file(text(data)),
            host_keys.is_private_key_file(text(data)),
            host_keys.private_name(text(data)),
        ),
        ((b"ssh_host_", b"key"), (b"ssh_host_", b"")),
        ((b"ssh_host_", b"a_", b"ke"), (b"", b"-cert", b".pu")),
    ),
    Reader(
        "ssh.sshd_config",
        _sshd_config,
        (
            (b"AuthorizedKeysFile ", b"\n"),
            (b"Match User ", b"\nAuthorizedKeysFile a\n"),
            (b"HostKey", b" a\n"),
            (b'HostKey "', b"\n"),
        ),
        (
            (b"", b"Match User bob\nAuthorizedKeysFile a%d\n", b""),
            (b"AuthorizedKeysFile ", b"a ", b"\n"),
            (b"Match User ", b"*b,", b"\nAuthorizedKeysFile a\n"),
            (b"Match User ", b"*", b"x\nAuthorizedKeysFile a\n"),
            (b"Match User ", b"*b", b"x\nAuthorizedKeysFile a\n"),
            (b"", b"Include a%d\n", b""),
        ),
        (SSHD,),
    ),
    Reader(
        "ssh.password_policy",
        _password_policy,
        ((b"Match User ", b"\nPasswordAuthentication no\n"), (b"Include ", b"\n")),
        (
            (b"", b"Match User a%d\nPasswordAuthentication no\n", b""),
            (b"Include /etc/ssh/sshd_config.d/", b"*", b"x\n"),
            (b"# BEGIN lightinit\n", b"a\n", b"# END lightinit\n"),
        ),
        (SSHD,),
    ),
    Reader(
        "ssh.origins",
        _origins,
        (
            (b"Match Address ", b"\nPort 1\n"),
            (b"Match Address 1", b"/8\nPort 1\n"),
            (b"Port ", b"\n"),
        ),
        (
            (b"Match Address ", b"10.%d.0.0/8,", b"\nPort 1\n"),
            (b"", b"Match Address 10.0.0.%d\nPort 1\n", b""),
            (b"Match ", b"Address * ", b"\nPort 1\n"),
        ),
        (b"Match Address 10.0.0.0/8,!10.1.* Host a\nPort 23\n",),
    ),
    Reader(
        "ssh.effective",
        _effective,
        (
            (b"allowusers ", b"\n"),
            (b"denyusers ", b"@10.0.0.1\n"),
            (b"authenticationmethods ", b"\n"),
            (b"listenaddress ", b":22\n"),
            (b"requiredrsasize ", b"\n"),
            (b"pubkeyacceptedalgorithms ", b"\n"),
        ),
        (
            (b"", b"denyusers a%d\n", b""),
            (b"denyusers ", b"*", b"x\n"),
            (b"denyusers ", b"*o", b"x\n"),
            (b"denygroups ", b"*e", b"x\n"),
            (b"pubkeyacceptedalgorithms ", b"*a,", b"\n"),
            (b"authenticationmethods ", b"publickey,", b"x\n"),
            (b"", b"listenaddress 10.0.0.%d:22\n", b""),
        ),
    ),
    Reader(
        "ssh.login_rules",
        lambda data: login_rules.judge_shadow(text(data), "bob", 20000, True),
        ((b"bob:", b":1:::::1:\n"), (b"bob:*:", b":0:9:7:7:7:\n"), (b"bob:*:1:::::", b":\n")),
        ((b"", b"bob:*:1:\n", b""),),
        (b"bob:!:19000:0:99999:7:::\n",),
    ),
    Reader(
        "settings",
        lambda data: ini.parse(text(data), "a.conf"),
        ((b"[a]\nb = ", b"\n"), (b"[", b"]\n")),
        (
            (b"[a]\n", b"b%d = 1\n", b""),
            (b"[a]\nb = 1\n", b" c\n", b""),
            (b"", b"[a%d]\n", b""),
            (b"[a]\n", b"b = 1\n", b""),
        ),
    ),
)
