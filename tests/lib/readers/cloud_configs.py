"""``#cloud-config`` documents. Without PyYAML, reading ends with the error that says so."""

from __future__ import annotations

from typing import Tuple

from lightinit.formats.cloud_config import building, document, keys, merge, mistakes, schema, syntax
from lightinit.formats.cloud_config.readers import (
    clock,
    commands,
    disks,
    ending,
    files,
    host_keys,
    mounts,
    names,
    packages,
    passwords,
    section,
    services,
    users,
)
from tests.lib.readers.reader import Reader

HEAD = b"#cloud-config\n"
WHOLE = HEAD + (
    b"hostname: web1\nusers:\n- default\n- name: ada\n  groups: [adm, sudo]\n  lock_passwd: yes\n"
    b"write_files:\n- path: /etc/motd\n  permissions: 0644\n  content: |\n    Hello\n"
    b"- path: /etc/key\n  encoding: b64\n  content: !!binary aGk=\n"
    b'runcmd:\n- echo hi\n- [sh, -c, "date > /run/date"]\nbase: &base {a: 1, b: 12:30}\n'
    b"mounts:\n- [sdb, /data, auto, defaults]\nmore: {<<: *base, c: 1.10}\n"
)
FRAMES: Tuple[Tuple[bytes, bytes], ...] = (
    (HEAD, b""),
    (HEAD + b"a: ", b"\n"),
    (HEAD + b'a: "', b'"\n'),
    (HEAD + b"a: '", b"'\n"),
    (HEAD + b"a: |\n  ", b"\n"),
    (HEAD + b"a: [", b"]\n"),
    (HEAD + b"a: {", b"}\n"),
    (HEAD + b"a: &", b" x\n"),
    (HEAD + b"a: !", b" x\n"),
    (HEAD + b"a: !!int ", b"\n"),
    (HEAD + b"a: !!binary ", b"\n"),
)
ITEMS: Tuple[Tuple[bytes, bytes, bytes], ...] = (
    (HEAD, b"k%d: v\n", b""),
    (HEAD, b"k: v\n", b""),
    (HEAD + b"runcmd:\n", b"- echo %d\n", b""),
    (HEAD + b"a: [", b"[1, 2], ", b"]\n"),
    (HEAD + b"a: ", b"[", b""),
    (HEAD + b"a: &a [x, y]\nb:\n", b"- *a\n", b""),
    (HEAD + b"a: &a {x: y}\nb:\n", b"  <<: *a\n", b""),
    (HEAD + b"a: &a {x: y}\nb: {<<: [", b"*a, ", b"]}\n"),
    (HEAD + b"a:\n", b"- &a%d [x]\n", b""),
    (HEAD + b"a: 1", b":1", b"\n"),
)
# PyYAML is pure Python: more would take minutes of a test. The reader itself takes 1 MiB.
LIMIT_BYTES = 65536
LIMIT_OF_KEYS_BYTES = 16384


def read(data: bytes) -> None:
    found = document.read(data)
    assert building.Dropped not in found.values.values()
    for each in found.mistakes:
        assert str(each) and each.line and mistakes.show_path(each.path) is not None


def check(data: bytes) -> None:
    found = document.read(data)
    for each in schema.check(found):
        assert each.what and each.remedy and str(each)
    repr([reader(found.values)[0] for _, reader in keys.READERS])


def merged(data: bytes) -> None:
    values = document.read(data).values
    part = merge.ConfigPart(values, "list(append)+dict(recurse_list)+str(append)")
    merge.merge_all([part, part, part])


# What a reader is given is what another one has read.
SUBJECTS = (clock, commands, disks, ending, files, host_keys, mounts, names, packages)
MORE_SUBJECTS = (passwords, section, services, users)
CHECKED: Tuple[Tuple[bytes, bytes, bytes], ...] = (
    (HEAD, b"key%d: v\n", b""),
    (HEAD + b"users:\n", b"- name: u%d\n  shel: x\n", b""),
    (HEAD + b"users:\n", b"- name: same\n  groups: [a]\n", b""),
    (HEAD + b"users: '", b"a,", b"'\n"),
    (HEAD + b"groups:\n", b"- g%d: [a, a]\n", b""),
    (HEAD + b"ssh_authorized_keys:\n", b"- ssh-rsa %d\n", b""),
    (HEAD + b"chpasswd: {list: '", b"a:$6$b$c\n\n", b"'}\n"),
    (HEAD + b"chpasswd: {users: [", b"{name: a%d, password: b, type: text}, ", b"]}\n"),
    (HEAD + b"write_files:\n", b"- {path: /a%d, content: b, owner: c}\n", b""),
    (HEAD + b"write_files: [{path: /a, encoding: b64, content: '", b"aGkK", b"'}]\n"),
    (HEAD + b"runcmd:\n", b"- [a, 0644, yes]\n", b""),
    (HEAD + b"mounts:\n", b"- [a%d, /b]\n", b""),
    (HEAD + b"ntp: {servers: [", b"a,", b"]}\n"),
    (HEAD + b"disk_setup:\n", b"  /dev/a%d: {layout: [50]}\n", b""),
    (HEAD + b"fs_setup:\n", b"- {device: a%d}\n", b""),
    (HEAD + b"packages: [", b"a, [b, 1], ", b"]\n"),
    (HEAD + b"apt: {sources: {", b"a%d: {source: b}, ", b"}}\n"),
    (HEAD + b"apt_sources:\n", b"- {sourc: b%d}\n", b""),
    (HEAD + b"cloud_final_modules: [", b"[a, always], ", b"]\n"),
    (HEAD + b"ca_certs: {trusted: ['", b"-----BEGIN CERTIFICATE-----", b"']}\n"),
    (HEAD + b"rsyslog: {configs: [", b"a, ", b"]}\n"),
    (HEAD + b"merge_how: '", b"list()+", b"'\n"),
)
ONE_VALUE: Tuple[Tuple[bytes, bytes], ...] = tuple(
    (HEAD + key + b": '", b"'\n")
    for key in (b"hostname", b"timezone", b"merge_how", b"swap", b"password")
)

READERS = (
    Reader("cloud_config.schema", check, ONE_VALUE, CHECKED, (WHOLE,), LIMIT_OF_KEYS_BYTES),
    Reader(
        "cloud_config.merge", merged, ((HEAD, b""),), CHECKED[:4], (WHOLE,), LIMIT_OF_KEYS_BYTES
    ),
    Reader("cloud_config.document", read, FRAMES, ITEMS, (WHOLE,), LIMIT_BYTES),
    Reader("cloud_config.archive", document.read_list, ((b"- ", b"\n"),), limit_bytes=LIMIT_BYTES),
)
assert SUBJECTS and MORE_SUBJECTS and syntax.TOLD  # what it explains is read with the document
