"""``#cloud-config`` documents. Without PyYAML, reading ends with the error that says so."""

from __future__ import annotations

from typing import Tuple

from lightinit.formats.cloud_config import building, document, mistakes, syntax
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
# Whoever reads more reads pure Python for seconds; the reader itself takes 1 MiB.
LIMIT_BYTES = 65536


def read(data: bytes) -> None:
    found = document.read(data)
    assert building.Dropped not in found.values.values()
    for each in found.mistakes:
        assert str(each) and each.line and mistakes.show_path(each.path) is not None


READERS = (
    Reader("cloud_config.document", read, FRAMES, ITEMS, (WHOLE,), LIMIT_BYTES),
    Reader("cloud_config.archive", document.read_list, ((b"- ", b"\n"),), limit_bytes=LIMIT_BYTES),
)
assert syntax.TOLD  # what it explains is read with the document
