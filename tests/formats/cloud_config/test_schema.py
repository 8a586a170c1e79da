"""The check of a document, the table of keys, and docs/cloud-config.md."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List

from lightinit.formats.cloud_config import keys, merge
from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.schema import (
    check,
    check_key,
    is_cloud_config,
    nearest_key,
    other_kind,
    supported,
)
from lightinit.registry import find_declaration, shipped_modules
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import HERE

with open(os.path.join(HERE, "docs/cloud-config.md"), encoding="utf-8") as handle:
    PAGE = handle.read()


def told(text: str) -> List[str]:
    return [str(each) for each in check(read(text.encode()))]


def without_support(text: str) -> List[str]:
    """What is told besides that keys do not work yet."""
    return [each for each in told(text) if "does not support this key" not in each]


@needs_yaml
def test_an_unknown_key_is_told_with_the_nearest_one() -> None:
    assert told("#cloud-config\nhostnam: x\n") == [
        "line 2, hostnam: the key is unknown, and has no effect; did you mean `hostname`?"
    ]
    assert "did you mean `write_files`?" in told("write-file: []\n")[0]
    assert "did you mean `ssh_authorized_keys`?" in told("ssh-authorized-keys: []\n")[0]
    assert "of an account: write it below `users`" in told("lock_passwd: false\n")[0]
    assert "lists all keys" in told("zzzzzz: 1\n")[0]


@needs_yaml
def test_a_key_that_does_not_work_is_told() -> None:
    assert "line 1, snap: lightinit does not support this key" in told("snap: {}\n")[0]
    assert "write `package_update`" in told("apt_update: true\n")[0]


@needs_yaml
def test_mistakes_have_lines_and_come_in_their_order() -> None:
    text = "users:\n- name: a b\n- name: ok\n  shel: x\nruncmd:\n- echo a: b\nmerge_how: list()\n"
    found = without_support(text)
    assert [each.split(":")[0] for each in found] == [
        "line 2, users[0].name",
        "line 4, users[1].shel",
        "line 6, runcmd[0]",
        "line 7, merge_how",
    ]
    assert told("a: 1\na: 2\n")[0].startswith("line 2, a: the key is ")


def test_the_shape_of_a_key_without_a_reader() -> None:
    table = {"p": keys.ConfigKey("p", keys.WORKS, shape=("a list", "text"))}
    assert check_key("p", ["x"], table=table) == check_key("p", None, table=table) == []
    found = check_key("p", {}, table=table)
    assert [str(each) for each in found] == [
        "p: it is a mapping, and must be a list or text; write a list"
    ]
    table["p"] = keys.ConfigKey("p", keys.WORKS, "packages", is_deprecated=True)
    found = check_key("p", 1, table=table)
    assert found[0].has_effect and found[0].remedy == "write `packages`"
    assert nearest_key("Package Update") == "package_update"


@needs_yaml
def test_a_document_without_a_mistake() -> None:
    text = (
        "#cloud-config\nhostname: web1\nusers: [default, {name: ada, groups: [adm]}]\n"
        "write_files: [{path: /etc/x, content: a, permissions: '0644', owner: 'root:adm'}]\n"
        "runcmd: [ls, [echo, a]]\ntimezone: Europe/Berlin\nntp: {servers: [time.windows.com]}\n"
        "mounts: [[sdb, /data, auto, 'defaults,nofail', '0', '2']]\nswap: {size: 1G}\n"
    )
    assert without_support(text) == []


@needs_yaml
def test_what_people_write_is_no_mistake() -> None:
    """Features of some 90 public documents: none of these documents has a mistake for us."""
    path = os.path.join(HERE, "tests/data/valid_cloud_configs.yaml")
    with open(path, encoding="utf-8") as handle:
        text = handle.read()
    documents = text.split("#cloud-config\n")[1:]
    assert len(documents) == 8
    for document in documents:
        assert told("#cloud-config\n" + document) == [], document


def test_the_first_line() -> None:
    for data in (
        b"#cloud-config\na: 1",
        b"\xef\xbb\xbf#cloud-config\r\n",
        b"\n#cloud-config # x",
        b"#cloud-configs",
    ):
        assert is_cloud_config(data) and not other_kind(data)
    for data in (b"a: 1", b"#cloud-confi\n", b"# cloud-config\n"):
        assert not is_cloud_config(data) and not other_kind(data)
    for data in (b"#!/bin/sh\n", b"#include\n", b"#cloud-config-archive\n", b"MIME-Version: 1.0\n"):
        assert other_kind(data) and not is_cloud_config(data)


# -- the table
# --------------------------------------------------------------------------------------------------


def test_the_page_has_each_key_and_no_other() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (works|partly|not) \| (.*) \|$", PAGE, re.M)
    said = {name: works for name, works, _ in rows}
    assert said == {name: key.works for name, key in keys.KEYS.items()}
    assert len(rows) == len(said) == len(keys._ALL) > 100
    for name, works, note in rows:
        assert works != keys.PARTLY or note, name


def test_a_key_works_if_a_module_takes_it() -> None:
    taken: Dict[str, Any] = {}
    for module in shipped_modules():
        for key in find_declaration(module).cloud_config:
            taken[key] = module
    works = set(supported(dict.fromkeys(keys.KEYS, 1)))
    assert set(taken) - works == set(), "say in keys.py and docs/cloud-config.md that they work"
    assert works - set(taken) <= set(merge.KEYS) | keys.BY_STAGES


def test_a_key_that_will_not_work_says_what_to_do_instead() -> None:
    """Never silence, and no dead end either."""
    read_by = {key for names, _ in keys.READERS for key in names}
    silent = [
        name
        for name, key in keys.KEYS.items()
        if key.works == keys.NOT and not key.instead and name not in read_by
    ]
    assert silent == []


def test_each_key_of_a_reader_is_in_the_table() -> None:
    read_keys = {key for each, _ in keys.READERS for key in each}
    assert read_keys <= set(keys.KEYS)
    for key in keys.KEYS.values():
        assert not key.is_deprecated or key.instead, key


def test_no_value_breaks_a_reader() -> None:
    """Values of each type, for each key, also where a list or mapping must be."""
    values: List[Any] = [
        None,
        True,
        5,
        1.5,
        "x",
        b"x",
        [],
        {},
        [[]],
        [{}],
        ["x"],
        [None],
        {"a": []},
    ]
    values += [{"a": {}}, [5], {"users": {}}, {"list": [None]}, {"layout": [[1]]}, [["a", None]]]
    for names, reader in keys.READERS:
        for name in names:
            for value in values:
                for each in reader({name: value})[1]:
                    assert each.what and each.remedy and str(each)
