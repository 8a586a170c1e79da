"""Settings: what a file says, what is wrong with it, and that the rest still counts."""

from __future__ import annotations

import os
import subprocess
from random import Random
from typing import Any, Sequence

import pytest

from lightinit.commands import config
from lightinit.datasources import DATASOURCES
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.quick import cksum
from lightinit.registry import datasource_schema, load_settings, module_schema, shipped_modules
from lightinit.settings import CORE, Setting, Settings, convert, render
from lightinit.settings import files as settings_files
from lightinit.settings.ini import parse
from tests.lib.noise import noise
from tests.lib.scratch import HERE


def load(root: Any, text: str = "", **drop_ins: str) -> Settings:
    """The settings of a root with this main file and these drop-ins."""
    system = System(str(root))
    if text:
        system.write(settings_files.MAIN_FILE, text.encode())
    for name, content in drop_ins.items():
        system.write("/etc/lightinit/conf.d/%s.conf" % name, content.encode())
    return load_settings(system)


def test_without_files_all_is_default(tmp_path: Any) -> None:
    found = load(tmp_path)
    assert found["lightinit"]["modules"] == (
        "entropy",
        "bootcmd",
        "disk_setup",
        "mounts",
        "hostname",
        "ssh_host_keys",
        "users",
        "ssh_authorized_keys",
        "ssh_password_login",
        "certificates",
        "timezone",
        "locale",
        "keyboard",
        "ca_certs",
        "resolv_conf",
        "write_files",
        "root_disk",
        "swap",
        "custom_data",
    )
    assert found["network"]["lease_timeout_s"] == 300.0
    assert found.problems == ()
    assert set(found.origins["network"].values()) == {"default"}


def test_later_files_win_and_origins_say_which(tmp_path: Any) -> None:
    found = load(
        tmp_path,
        "[network]\nlease_timeout_s = 10\ngrace_s=1\n",
        b="[network]\nlease_timeout_s = 30\n",
        a="[network]\nlease_timeout_s = 20\n",
    )
    assert found["network"]["lease_timeout_s"] == 30.0
    assert found.origins["network"]["lease_timeout_s"] == "/etc/lightinit/conf.d/b.conf:2"
    assert found.origins["network"]["grace_s"] == "/etc/lightinit/lightinit.conf:3"


def test_a_value_may_go_on_over_indented_lines(tmp_path: Any) -> None:
    found = load(
        tmp_path,
        "[lightinit]\nmodules = hostname\n  users,\n\n  # a comment\n  ssh_authorized_keys\n",
    )
    assert found["lightinit"]["modules"] == ("hostname", "users", "ssh_authorized_keys")
    assert not found.problems


@pytest.mark.parametrize(
    "text, where, says",
    [
        ("[network]\nlease_timeout = 5\n", 2, "did you mean lease_timeout_s?"),
        ("[netwrok]\ngrace_s = 5\n", 2, "did you mean [network]?"),
        ("[network]\nlease_timeout_s = soon\n", 2, "expected a number of seconds; using 300"),
        ("[network]\nlease_timeout_s = -1\n", 2, "expected seconds from 0 to 86400"),
        ("[network]\nlease_timeout_s = nan\n", 2, "expected seconds from 0 to 86400"),
        ("[lightinit]\nenabled = perhaps\n", 2, "expected yes or no; using yes"),
        ("[lightinit]\nlog_level = loud\n", 2, "expected one of: debug, info, warning, error"),
        ("[lightinit]\nlog_file = here\n", 2, "expected an absolute path"),
        ("[lightinit]\nmodules = hostnam\n", 2, "did you mean hostname?"),
        ("[lightinit]\ndatasource = azur\n", 2, "azure"),
        ("[azure]\nwireserver = 1.2.3.4:99999\n", 2, "expected a port from 1 to 65535"),
        ("[azure]\nimds = http://1.2.3.4/\n", 2, "expected a port"),
        ("[azure]\nimds = a_b:80\n", 2, "expected auto, an address"),
        ("[azure]\nimds = [::1]:80\n", 2, "expected auto, an address"),
        ("[azure]\nimds = h:80:80\n", 2, "expected a port"),
        ("enabled = yes\n", 1, "before the first [section]"),
        ("[lightinit\nenabled = no\n", 1, "a section must look like [name]"),
        ("[lightinit]\n\nwhat is this\n", 3, "expected key = value"),
        ("[module.users]\nfrequency = never\n", 2, "expected one of: instance, boot, once"),
        ("[network]\ngrace_s = 1\ngrace_s = 2\n", 3, "set twice"),
        ("[users]\nshell = /bin/sh\n", 2, "did you mean [module.users]?"),
        ("[module.ephemeral_dsik]\nswap_mb = 1\n", 2, "did you mean [module.ephemeral_disk]?"),
        ("[lightinit]\nprivileges = none\n", 2, "it is a key of [module.users]"),
        ("[module.hostname]\nswap_mb = 1\n", 2, "it is a key of [module.ephemeral_disk]"),
        ("[module.ephemeral_disk]\nswap_mb = big\n", 2, "swap_mb = big: expected a whole number"),
        ("[module.ephemeral_disk]\nmount_point = mnt\n", 2, "expected an absolute path"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Any, text: str, where: int, says: str
) -> None:
    found = load(tmp_path, text)
    lines = [str(problem) for problem in found.problems]
    assert any(
        line.startswith("/etc/lightinit/lightinit.conf:%d: " % where) and says in line
        for line in lines
    ), lines


def test_the_rest_of_a_broken_file_still_counts(tmp_path: Any) -> None:
    found = load(
        tmp_path,
        "[network]\nlease_timeout_s = soon\nnonsense\ngrace_s = 7\n[oops\nx = 1\n[lightinit]\n"
        "log_level = debug\n",
    )
    assert found["network"] == dict(found["network"], lease_timeout_s=300.0, grace_s=7.0)
    assert found["lightinit"]["log_level"] == "debug"
    assert len(found.problems) == 3


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe[\x00", noise(Random(3), 300), b"\x00" * 1000, b"[" * 5000, b"x" * 300000],
    ids=["UTF-16", "random", "zeros", "brackets", "one long line"],
)
def test_garbage_gives_problems_and_defaults(tmp_path: Any, content: bytes) -> None:
    System(str(tmp_path)).write(settings_files.MAIN_FILE, content)
    found = load(tmp_path)
    assert found.problems
    assert found["network"]["lease_timeout_s"] == 300.0


def test_a_directory_in_place_of_the_file_is_told(tmp_path: Any) -> None:
    os.makedirs(str(tmp_path) + settings_files.MAIN_FILE)
    assert "cannot be read" in str(load(tmp_path).problems[0])


def test_settings_of_a_module_that_is_not_listed_are_fine(tmp_path: Any) -> None:
    found = load(tmp_path, "[lightinit]\nmodules = hostname\n[module.users]\nrequired = no\n")
    assert not found.problems


def test_a_text_that_goes_on_is_one_line(tmp_path: Any) -> None:
    found = load(
        tmp_path, "[lightinit]\nmodules = timezone\n[module.timezone]\nzone = Etc/\n  UTC\n"
    )
    assert found["module.timezone"]["zone"] == "Etc/ UTC"


def test_a_value_of_lines_keeps_them_apart(tmp_path: Any) -> None:
    found = load(
        tmp_path,
        "[module.write_files]\nfiles =\n    /a text=x  y\n\n  # a comment\n\t/b source=/c \n"
        "[lightinit]\nmodules = write_files\n",
    )
    assert not found.problems
    assert found["module.write_files"]["files"] == "/a text=x  y\n/b source=/c"
    shown = config.as_text(found).split("\n")
    at = next(number for number, line in enumerate(shown) if line.startswith("files ="))
    assert shown[at].endswith("# /etc/lightinit/lightinit.conf:2")
    assert shown[at + 1 : at + 3] == ["    /a text=x  y", "    /b source=/c"]


def test_a_wrong_value_over_several_lines_is_told_in_one(tmp_path: Any) -> None:
    (problem,) = load(tmp_path, "[lightinit]\nenabled = perhaps\n  not\n").problems
    assert "enabled = perhaps not: expected yes or no" in str(problem)


def test_what_is_rendered_converts_back() -> None:
    for value, kind in (
        ("a b\nc", "lines"),
        ("", "lines"),
        ("a b", "lines"),
        (True, "boolean"),
        (("a", "b"), "words"),
        (2.5, "seconds"),
        (7, "integer"),
        ("x", "text"),
    ):
        assert convert(Setting("key", kind, value, ""), render(value)) == value


def test_the_fingerprint_sees_every_change(tmp_path: Any) -> None:
    marks = [
        load(tmp_path).fingerprint,
        load(tmp_path, "[network]\n").fingerprint,
        load(tmp_path, "[network]\n\n").fingerprint,
        load(tmp_path, a="[network]\n").fingerprint,
    ]
    assert len(set(marks)) == len(marks)
    os.unlink(str(tmp_path) + "/etc/lightinit/conf.d/a.conf")
    assert load(tmp_path, "[network]\n").fingerprint == marks[1]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70000])
def test_the_checksum_is_that_of_cksum(size: int) -> None:
    data = bytes(range(7, 250)) * (size // 243 + 1)
    found = subprocess.run(
        ["cksum"], input=data[:size], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    assert cksum(data[:size]) == found.strip()


def shipped_schema() -> Any:
    """By section: what it is about, and its keys. In the order of the shipped file."""
    about = {"lightinit": "What runs at all, and the log.", "network": "Waiting for the network."}
    schema: Any = {section: (about[section], declared) for section, declared in CORE.items()}
    for name in DATASOURCES:
        schema[name] = (
            "The datasource %s; see docs/datasources.md." % name,
            datasource_schema(name),
        )
    for name in shipped_modules():
        schema["module." + name] = (
            "The module %s; see docs/modules.md." % name,
            module_schema(name),
        )
    return schema


def test_the_shipped_file_has_every_key_with_its_default(tmp_path: Any) -> None:
    with open(HERE + "/etc/lightinit.conf", encoding="utf-8") as handle:
        shipped = handle.read()
    assert shipped == config.default_file(shipped_schema()), (
        "write it anew: python3 -m tests.test_settings > etc/lightinit.conf"
    )
    active = "\n".join(
        line[2:] if line.startswith("# ") and line[2:].split(" =")[0].isidentifier() else line
        for line in shipped.splitlines()
    )
    entries, problems = parse(active, "etc/lightinit.conf")
    assert not problems
    found = load(tmp_path, active)
    assert not found.problems
    assert {key: dict(values) for key, values in found.values.items()} == {
        key: dict(values)
        for key, values in load_settings(System(str(tmp_path) + "/none"), whole=True).values.items()
    }
    declared = [each for _, settings in shipped_schema().values() for each in settings]
    assert len(entries) == len([each for each in declared if not each.replaced_by])


def test_a_module_of_ones_own_brings_its_keys(tmp_path: Any) -> None:
    def schema(name: str) -> Sequence[Setting]:
        if name == "site.motd":
            return (Setting("text", "text", "hello", "What it says."),)
        raise ProvisioningError("no such module", module=name)

    system = System(str(tmp_path))
    system.write(
        settings_files.MAIN_FILE,
        b"[lightinit]\nmodules = site.motd\nfinal_modules =\n[module.site.motd]\ntext = hi\n",
    )
    found = settings_files.load(system, datasource_schema, schema)
    assert found["module.site.motd"]["text"] == "hi"
    assert not found.problems


if __name__ == "__main__":
    print(config.default_file(shipped_schema()), end="")
