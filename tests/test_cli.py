"""The command line: help that explains, exit codes as documented, errors on one line."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any, List

import pytest

from lightinit import __version__
from lightinit.cli import PROVISIONING, main
from lightinit.grammar import make_parser
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.state import LOCK
from tests.lib.scratch import HERE, UUID, Machine


def commands() -> List[str]:
    """The commands of the grammar."""
    parts = [each for each in make_parser()._actions if each.dest == "command"]
    return sorted(parts[0].choices or ())


def test_every_command_has_a_file_unless_it_provisions() -> None:
    others = sorted(set(commands()) - set(PROVISIONING))
    assert len(others) == 8
    for name in others:
        assert callable(importlib.import_module("lightinit.commands." + name).run)


@pytest.mark.parametrize("command", commands())
def test_every_command_explains_itself(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "--root DIR" in text
    assert len(text) > 300


def test_the_help_tells_the_exit_codes(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for code in ("0 ", "1 ", "2 ", "3 ", "64", "75", "77"):
        assert "\n  %s" % code in text


@pytest.mark.parametrize(
    "argv",
    [
        ["nonsense"],
        ["stage"],
        ["stage", "middle"],
        ["boot", "--nonsense"],
        ["status", "--timeout", "soon"],
        ["status", "--timeout", "-1"],
        ["analyze"],
        ["--root"],
    ],
)
def test_a_wrong_command_line_is_64_and_told(argv: List[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 64
    assert "--help" in capsys.readouterr().err


def test_no_command_shows_the_help(capsys: Any) -> None:
    assert main([]) == 64
    assert "boot" in capsys.readouterr().err


def test_a_root_that_is_not_there(capsys: Any) -> None:
    assert main(["--root", "/nonexistent/root", "boot"]) == 64
    assert capsys.readouterr().err.startswith("lightinit: no such root (root=/nonexistent/root)")


def test_the_version() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit", "--version"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert ended.stdout.decode().strip() == "lightinit " + __version__


def test_status_before_anything_ran(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    assert main(["--root", machine.root, "status"]) == 3
    assert capsys.readouterr().out == "status: not run\n"
    assert main(["--root", machine.root, "status", "--wait", "--start-timeout", "0.1"]) == 3


def test_status_when_disabled(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/disabled", "")
    assert main(["--root", machine.root, "status", "--wait"]) == 3
    assert capsys.readouterr().out == "status: disabled\n"


RESULTS = {"done": 0, "error": 1, "degraded done": 2}


@pytest.mark.parametrize("word", sorted(RESULTS))
def test_status_of_an_earlier_boot(tmp_path: Any, word: str, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put(
        "/var/lib/lightinit/instances/%s/result.json" % UUID,
        json.dumps(
            {
                "status": word,
                "errors": ["e"],
                "warnings": ["w"],
                "instance": UUID,
                "reported": "Ready",
            }
        ),
    )
    os.symlink("instances/" + UUID, machine.root + "/var/lib/lightinit/instance")
    assert main(["--root", machine.root, "status", "--format", "json"]) == RESULTS[word]
    found = json.loads(capsys.readouterr().out)
    assert found["extended_status"] == word
    assert found["status"] == word.replace("degraded ", "")
    assert (found["exit_code"], found["errors"], found["instance"]) == (RESULTS[word], ["e"], UUID)
    machine.put("/sys/class/dmi/id/product_uuid", "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8")
    assert main(["--root", machine.root, "status"]) == 3, "another instance has not run"


def test_status_says_what_is_waited_for(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    status = {
        "status": "running",
        "stage": "fetch",
        "boot_id": machine.read("/proc/sys/kernel/random/boot_id").strip(),
    }
    lock = Lock(System(machine.root), LOCK)
    lock.take("test")
    for waiting_for, words in (("owner", "detail: waiting for the VM's owner"), ("", "")):
        machine.put("/run/lightinit/status.json", json.dumps(dict(status, waiting_for=waiting_for)))
        assert main(["--root", machine.root, "status", "--long"]) == 3
        said = capsys.readouterr().out
        assert words in said and ("waiting for" in said) == bool(words)
    lock.release()


def test_status_while_running_and_after_a_kill(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put(
        "/run/lightinit/status.json",
        json.dumps(
            {
                "status": "running",
                "stage": "fetch",
                "boot_id": machine.read("/proc/sys/kernel/random/boot_id").strip(),
            }
        ),
    )
    lock = Lock(System(machine.root), LOCK)
    lock.take("test")
    assert main(["--root", machine.root, "status"]) == 3
    assert capsys.readouterr().out == "status: running\n"
    assert main(["--root", machine.root, "status", "--wait", "--timeout", "0.2"]) == 3
    lock.release()
    capsys.readouterr()
    assert main(["--root", machine.root, "status", "--wait", "--long"]) == 1
    assert "interrupted in stage fetch" in capsys.readouterr().out


def test_status_without_the_data_that_only_root_can_read(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/var/lib/lightinit/instances/x/instance.json/is", "a directory, as root reads all")
    os.symlink("instances/x", machine.root + "/var/lib/lightinit/instance")
    ended = machine.run("status", "--long")
    assert (ended.returncode, ended.stderr) == (3, "")


@pytest.mark.parametrize("content", ["{", "[]", '{"status": 7}', '{"status": "odd"}'])
def test_a_damaged_status_is_no_crash(tmp_path: Any, content: str) -> None:
    machine = Machine(tmp_path)
    machine.put("/run/lightinit/status.json", content)
    assert main(["--root", machine.root, "status"]) in (1, 3)


def test_query_before_there_is_anything(tmp_path: Any, capsys: Any) -> None:
    assert main(["--root", str(tmp_path), "query"]) == 3
    assert "no instance data" in capsys.readouterr().err
    assert main(["--root", str(tmp_path), "analyze", "blame"]) == 3


def test_config_tells_what_is_wrong(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    assert main(["--root", machine.root, "config"]) == 0
    machine.put("/etc/lightinit/lightinit.conf", "[network]\ngrace = 1\n")
    assert main(["--root", machine.root, "config"]) == 1
    ended = capsys.readouterr()
    assert (
        "/etc/lightinit/lightinit.conf:2: [network] has no key grace; did you mean grace_s?"
        in ended.err
    )
    assert "lease_timeout_s = 300" in ended.out
    assert main(["--root", machine.root, "config", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["values"]["network"]["grace_s"] == 2.0


@pytest.mark.parametrize(
    "text, says",
    [
        (
            "[module.hostname]\nhostname = a_b\n",
            "[module.hostname] hostname: host name is not valid",
        ),
        ("[module.hostname]\nhostname = web-\n", "hostname: it would become web: hyphens"),
        ("[module.timezone]\nzone = Europe/Berlim\n", "zone: time zone is not there"),
        ("[module.timezone]\nzone = Europe/Berlim\n", "; did you mean Europe/Berlin?"),
        ("[module.timezone]\nzone = ../etc\n", "zone: time zone is not valid"),
        ("[module.users]\nshell = /bin/zshh\n", "shell: '/bin/zshh' is not a program here"),
        ("[module.users]\ngroups = adm a:b\n", "groups: 'a:b' cannot be a group's name"),
        ("[module.write_files]\nfiles = motd text=x\n", "it does not begin with a plain path"),
        ("[module.write_files]\nfiles = /a mode=9 text=x\n", "its mode is not octal"),
        ("[module.write_files]\nfiles = /a owner=a/b text=x\n", "its owner is not valid"),
        ("[module.write_files]\nfiles = /a base64=*\n", "its content is not base64"),
        ("[module.write_files]\nfiles = /a gzip=AAAA\n", "its content is not one whole gzip"),
        ("[module.write_files]\nfiles = /a text=\\x\n", "its text has a backslash"),
        ("[module.write_files]\nfiles = /a source=/b\n", "its source /b does not exist"),
        ("[module.write_files]\nfiles = /etc text=b\n", "entry 1: /etc is a directory"),
        ("[module.ephemeral_disk]\nmount_point = /proc/x\n", "mount_point: "),
        ("[module.ephemeral_disk]\nmount_options = a b\n", "mount_options: mount options cannot"),
        ("[module.ephemeral_disk]\ndevice = sdb\n", "device: it is not a disk"),
        ("[module.ephemeral_disk]\nswap_mb = 99999999999\n", "swap_mb: no resource disk"),
        ("[module.certificates]\nfolder = /etc/../x\n", "folder: it is not a plain path"),
        ("[module.certificates]\nfolder = /etc/passwd\n", "folder: /etc/passwd is a file"),
        ("[network]\ninterface = eth 0\n", "[network] interface: no interface can have"),
        ("[lightinit]\nlog_file = /etc\n", "[lightinit] log_file: it is a directory"),
        ("[lightinit]\ndefault_user = root\n", "[lightinit] default_user: root cannot be"),
        ("[lightinit]\ndefault_user = a b\n", "[lightinit] default_user: only letters"),
        ("[lightinit]\nmodules = users users\n", "modules: users is listed more than once"),
        ("[azure]\nmedia = dvd\n", "[azure] media: it is neither auto nor none nor an"),
        ("[azure]\nagent = a|b\n", "[azure] agent: write printable ASCII"),
    ],
)
def test_config_is_not_0_with_nonsense(tmp_path: Any, text: str, says: str, capsys: Any) -> None:
    """What, where, and what next; and the boot is as tolerant as it was."""
    machine = Machine(tmp_path)
    machine.put("/bin/sh", "#!\n")
    os.chmod(machine.root + "/bin/sh", 0o755)
    machine.put("/usr/share/zoneinfo/Europe/Berlin", "TZif" + "\0" * 40)
    if "ephemeral" in text:
        text = "[lightinit]\nmodules = ephemeral_disk\n" + text
    machine.put("/etc/lightinit/lightinit.conf", text)
    assert main(["--root", machine.root, "config"]) == 1
    (told,) = capsys.readouterr().err.strip().split("\n")
    line = text.count("\n")
    assert told.startswith("lightinit: /etc/lightinit/lightinit.conf:%d: [" % line)
    assert says in told
    assert main(["--root", machine.root, "config", "--format", "json"]) == 1
    assert says in json.loads(capsys.readouterr().out)["problems"][0]


def test_config_is_0_with_what_is_right(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/bin/sh", "#!\n")
    os.chmod(machine.root + "/bin/sh", 0o755)
    machine.put("/usr/share/zoneinfo/Europe/Berlin", "TZif" + "\0" * 40)
    machine.put(
        "/etc/lightinit/lightinit.conf",
        "[lightinit]\nmodules = hostname users timezone write_files ephemeral_disk certificates\n"
        "[module.hostname]\nhostname = web-1\n[module.users]\nshell = /bin/sh\n"
        "[module.timezone]\nzone = Europe/Berlin\n[module.write_files]\nfiles =\n"
        "  /etc/motd mode=0600 owner=bob:web text=a\\nb\n  /etc/a source=/etc/passwd\n",
    )
    assert main(["--root", machine.root, "config"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "argv, says",
    [
        (["statsu"], "there is no command 'statsu'; did you mean status?"),
        (["qqqqqq"], "there is no command 'qqqqqq'; known are: boot, stage, module"),
        (["stage", "fetc"], "there is no stage 'fetc'; did you mean fetch?"),
        (["analyze", "blam"], "there is no view 'blam'; did you mean blame?"),
        (["status", "--format", "jsno"], "there is no format 'jsno'; did you mean json?"),
        (["clean", "--usre"], "there is no such argument here: '--usre'; did you mean --user?"),
        (["status", "--fromat=json"], "did you mean --format?"),
        (["stage", "fetch", "--forec"], "did you mean --force?"),
        (["boot", "now"], "there is no such argument here: 'now'"),
        (["--rot", "/mnt", "status"], "there is no such option before a command: '--rot'; did you"),
        (["--format", "json", "status"], "'--format'; put it after the command"),
        (["stage"], "required: {local,fetch,config,final}"),
        (["analyze"], "required: {blame,show}"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_one(argv: List[str], says: str, capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 64
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, says", [("usres", "did you mean users?"), ("qqqq", "the shipped ones are: bootcmd")]
)
def test_a_misspelt_module_is_told_before_all_else(
    tmp_path: Any, name: str, says: str, capsys: Any
) -> None:
    machine = Machine(tmp_path)
    assert main(["--root", machine.root, "module", name]) == 64
    error = capsys.readouterr().err
    assert "no such module (module=%s)" % name in error and says in error


def test_a_misspelt_module_of_ones_own_is_told_too(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    for name in ("../x", ".x", "a..b", "a b.c", ""):
        assert main(["--root", machine.root, "module", name]) == 64
        assert "no such module (module=%s)" % name in capsys.readouterr().err
    assert main(["--root", machine.root, "module", "lightinit.modules.usres"]) == 64
    error = capsys.readouterr().err
    assert "no such module (module=lightinit.modules.usres)" in error
    assert not machine.exists("/run/lightinit/status.json")


def test_a_second_process_is_refused(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    lock = Lock(System(machine.root), LOCK)
    lock.take("boot")
    for argv in (["boot"], ["stage", "local"], ["module", "users"], ["clean"]):
        assert main(["--root", machine.root] + argv) == 75
        error = capsys.readouterr().err
        assert "another lightinit is running" in error and "pid %d: boot" % os.getpid() in error
        assert "lightinit status --wait" in error
    lock.release()


def test_a_module_before_the_data_are_there(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    assert main(["--root", machine.root, "module", "hostname"]) == 3
    assert "the fetch stage has not run" in capsys.readouterr().err
    assert main(["--root", machine.root, "stage", "config"]) == 3
    assert main(["--root", machine.root, "stage", "fetch"]) == 3
    assert "lightinit stage local" in capsys.readouterr().err


def test_not_azure_is_left_alone(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
    before = {name for name in machine.tree() if not name.startswith(("/run/", "/var/log/"))}
    assert main(["--root", machine.root, "boot"]) == 0
    assert "not an Azure VM" in capsys.readouterr().err
    assert {
        name for name in machine.tree() if not name.startswith(("/run/", "/var/log/"))
    } == before
    assert main(["--root", machine.root, "status"]) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
def test_the_live_machine_is_roots_alone(tmp_path: Any) -> None:
    code = (
        "import os, sys; sys.path.insert(0, %r); import lightinit.boot,"
        " lightinit.cli\nlightinit.cli.main(['boot', '--root', %r])  # imports what"
        " only root may be able to read\nos.setgid(65534); os.setuid(65534);"
        " sys.exit(lightinit.cli.main(['boot']))" % (HERE, str(tmp_path / "nowhere"))
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, cwd="/", check=False
    )
    assert b"only root can provision this machine" in ended.stderr
    assert ended.returncode == 77


def test_clean_forgets_instances_and_keeps_once_marks(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/var/lib/lightinit/instances/%s/result.json" % UUID, "{}")
    machine.put("/var/lib/lightinit/sem/module.x", "{}")
    machine.put("/var/log/lightinit.log", "")
    os.symlink("instances/" + UUID, machine.root + "/var/lib/lightinit/instance")
    assert main(["--root", machine.root, "clean"]) == 0
    assert not machine.exists("/var/lib/lightinit/instance") and not machine.exists(
        "/var/lib/lightinit/instances"
    )
    assert machine.exists("/var/lib/lightinit/sem/module.x") and machine.exists(
        "/var/log/lightinit.log"
    )
    assert main(["--root", machine.root, "clean", "--logs"]) == 0
    assert not machine.exists("/var/log/lightinit.log")
    capsys.readouterr()
    assert main(["--root", machine.root, "clean"]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"


def test_closed_standard_streams_are_no_trap(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/disabled", "")
    command = "exec %s -m lightinit --root %s %s" % (sys.executable, machine.root, "%s")
    for arguments, code in (("boot", 0), ("status", 3), ("config", 0)):
        ended = subprocess.run(
            ["sh", "-c", command % arguments + " <&- >&- 2>&-"], cwd=HERE, check=False
        )
        assert ended.returncode == code
    assert machine.read("/run/lightinit/lock").startswith("pid ")
    assert "disabled" in machine.read("/var/log/lightinit.log")
    assert machine.read("/run/lightinit/lock").count("\n") == 1, "nothing else was written to it"


def test_an_output_that_nobody_reads_and_one_that_is_full(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/disabled", "")
    machine.put("/bad.yaml", "#cloud-config\nhostnam: a\n")
    full = "/dev/full"
    cases = [("status", 3), ("config", 0), ("schema %s/bad.yaml" % machine.root, 1), ("--help", 0)]
    cases += [("generalize --dry-run", 0)]
    for arguments, code in cases:
        command = [sys.executable, "-m", "lightinit", "--root", machine.root, *arguments.split()]
        reading, writing = os.pipe()
        os.close(reading)
        ended = subprocess.run(
            command, cwd=HERE, stdout=writing, stderr=subprocess.PIPE, check=False
        )
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (code, b""), arguments
        if not os.path.exists(full):
            continue
        with open(full, "wb") as file:
            ended = subprocess.run(
                command, cwd=HERE, stdout=file, stderr=subprocess.PIPE, check=False
            )
        assert ended.returncode == 1, arguments
        assert ended.stderr.startswith(b"lightinit: output cannot be written (error=No space left")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_cannot_be_encoded_is_shown_all_the_same(tmp_path: Any, encoding: str) -> None:
    machine = Machine(tmp_path)
    machine.put(
        "/var/lib/lightinit/instances/x/instance-public.json", '{"tags": {"a": "\\u20ac\\udc80"}}'
    )
    os.symlink("instances/x", machine.root + "/var/lib/lightinit/instance")
    ended = machine.run("query", "tags.a", env={"PYTHONIOENCODING": encoding})
    assert ended.returncode == 0, ended.stderr
    assert "\\udc80" in ended.stdout


def test_query_of_what_the_platform_left_empty(tmp_path: Any, capsys: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/var/lib/lightinit/instances/x/instance-public.json", '{"admin": null, "id": "x"}')
    os.symlink("instances/x", machine.root + "/var/lib/lightinit/instance")
    for path, hint in (
        ("admin.name", "there is nothing in it: the platform gave none"),
        ("adm.name", "did you mean admin?"),
        ("id.x", "available: nothing"),
    ):
        assert main(["--root", machine.root, "query", path]) == 1
        assert hint in capsys.readouterr().err
