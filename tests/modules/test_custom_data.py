"""The module custom_data: what is kept in a scratch root, and what is executed on a stand-in for a
live machine.

Scripts run for real here, but none changes anything; tests/real_tools has them on the real paths.
"""

from __future__ import annotations

import base64
import gzip
import logging
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any, List

import pytest

from lightinit import boot
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import custom_data
from lightinit.pipeline import Context, Stopped
from lightinit.registry import datasource_schema, module_schema
from lightinit.settings import convert
from lightinit.settings import files as settings_files
from lightinit.stages.config import run_module
from lightinit.state import Timeline

FOLDER = "var/lib/lightinit/instance/"
CUSTOM, USER = FOLDER + "custom-data", FOLDER + "user-data"
SECRET = "hunter2-hunter2"


class Live(System):
    """Says that it is live, and is a directory: commands are run, and paths are looked up below
    it.
    """

    def __init__(self, root: Any) -> None:
        super().__init__(str(root))
        self.live = True

    def path(self, name: str, follow_last: bool = True) -> str:
        self.live = False
        try:
            return super().path(name, follow_last)
        finally:
            self.live = True


def b64(data: Any) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def apply(
    system: System, custom: str = "", user: str = "", execute: str = "none", timeout_s: float = 60.0
) -> Outcome:
    instance = Instance("the-id", custom_data=custom, user_data=user)
    return custom_data.apply(instance, system, {"execute": execute, "timeout_s": timeout_s})


def refused(system: System, *arguments: Any, **more: Any) -> ProvisioningError:
    with pytest.raises(ProvisioningError) as raised:
        apply(system, *arguments, **more)
    return raised.value


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- kept
# --------------------------------------------------------------------------------------------------


def test_both_are_kept_for_root_alone(tmp_path: Path) -> None:
    text = "\r\n".join(b64("secret: x\n")[at : at + 4] for at in range(0, 16, 4))
    outcome = apply(System(str(tmp_path)), text, b64(b"\x00\xff binary"))
    assert outcome == Outcome("custom data kept, user data kept")
    assert (tmp_path / CUSTOM).read_bytes() == b"secret: x\n" and (
        tmp_path / USER
    ).read_bytes() == b"\x00\xff binary"
    assert mode(tmp_path / CUSTOM) == mode(tmp_path / USER) == 0o600


def test_without_any_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert apply(System(str(tmp_path)), " \n").skipped
    assert not list(tmp_path.iterdir())


def test_compressed_data_are_kept_unpacked(tmp_path: Path) -> None:
    apply(System(str(tmp_path)), b64(gzip.compress(b"#!/bin/sh\n")))
    assert (tmp_path / CUSTOM).read_bytes() == b"#!/bin/sh\n"


@pytest.mark.parametrize(
    "text, kept, why",
    [
        ("#!/bin/sh\necho ä\n", "#!/bin/sh\necho ä\n".encode(), "not base64"),
        (
            b64(gzip.compress(b"x" * 1000)[:-9]),
            gzip.compress(b"x" * 1000)[:-9],
            "gzip data are damaged",
        ),
        (
            b64(gzip.compress(b"\0" * 17000000)),
            gzip.compress(b"\0" * 17000000),
            "gzip data unpack to too much",
        ),
    ],
    ids=["not base64", "damaged gzip", "huge gzip"],
)
def test_what_cannot_be_decoded_is_kept_as_it_came(
    tmp_path: Path, text: str, kept: bytes, why: str
) -> None:
    outcome = apply(System(str(tmp_path)), text, b64("x"))
    assert len(outcome.warnings) == 1 and outcome.warnings[0].startswith(
        "custom data kept as it came: " + why
    )
    assert (
        outcome.message == "custom data kept, user data kept"
        and (tmp_path / CUSTOM).read_bytes()[10:] == kept[10:]
    )


@pytest.mark.parametrize(
    "text, name",
    [
        ("#cloud-config\npassword: hunter2\n", "#cloud-config"),
        ("Content-Type: multipart/mixed\n", "MIME"),
        ("#include\n", "#include"),
    ],
)
def test_what_only_cloud_init_understands_is_kept_and_told(
    tmp_path: Path, text: str, name: str
) -> None:
    outcome = apply(System(str(tmp_path)), user=b64(text))
    assert outcome.warnings == (
        "user data has a format that only cloud-init understands (%s): it is kept and has no effect"
        % name,
    )
    assert (tmp_path / USER).read_text() == text


def test_a_script_is_not_executed_unasked(tmp_path: Path) -> None:
    outcome = apply(Live(tmp_path), b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path))
    assert outcome == Outcome("custom data kept (a script, not executed)")
    assert not (tmp_path / "ran").exists()


def test_data_that_are_gone_stay_kept(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    apply(system, b64("x"), b64("y"))
    apply(system, user=b64("z"))
    assert (tmp_path / CUSTOM).read_text() == "x" and (tmp_path / USER).read_text() == "z"


def test_a_scratch_root_executes_nothing(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    outcome = apply(system, b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path), execute="both")
    assert outcome == Outcome("custom data kept") and system.skipped[-1] == "custom data scripts"
    assert not (tmp_path / "ran").exists()


# -- executed
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "execute, ran",
    [("none", ""), ("custom_data", "custom "), ("user_data", "user "), ("both", "custom user ")],
)
def test_what_the_settings_ask_for_is_executed(tmp_path: Path, execute: str, ran: str) -> None:
    script = "#!/bin/sh\nprintf '%s ' >>%s/ran\n"
    packed = gzip.compress((script % ("user", tmp_path)).encode())
    outcome = apply(Live(tmp_path), b64(script % ("custom", tmp_path)), b64(packed), execute)
    seen = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else ""
    assert seen == ran
    assert outcome.message.count("kept and executed") == len(ran.split())
    assert mode(tmp_path / CUSTOM) == 0o600
    if "custom" in ran:
        assert mode(tmp_path / (CUSTOM + "-script")) == 0o700


def test_its_output_is_in_the_log_and_it_knows_its_instance(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        apply(
            Live(tmp_path),
            b64("#! /bin/sh\necho id $LIGHTINIT_INSTANCE_ID\necho bad >&2\n"),
            execute="both",
        )
    assert [
        record.getMessage() for record in caplog.records if record.name == "lightinit.custom_data"
    ] == ["custom data: id the-id", "custom data: bad"]


def test_a_failure_has_its_status(tmp_path: Path) -> None:
    error = refused(
        Live(tmp_path),
        b64("#!/bin/sh\nprintf 'it %s fail\\n\\n' did\nexit 7\n"),
        execute="custom_data",
    )
    assert error.reason == "custom data script failed"
    assert {key: value for key, value in error.details.items() if key != "hint"} == {
        "which": "custom data",
        "status": "7",
    }


@pytest.mark.parametrize(
    "shell, text",
    [
        ("sh", "set -x\necho fine\ncurl-x -H %s http://x\n" % SECRET),
        ("sh", "DB_PASSWORD= %s\n" % SECRET),
        ("sh", "A=%s\ncd /srv/$A\n" % SECRET),
        ("bash", "echo fine\nif then %s\n" % SECRET),
        ("bash", 'echo fine\necho "$(( %s\n' % SECRET),
        ("sh", "set -v\n: %s\nexit 1\n" % SECRET),
    ],
)
def test_nothing_of_the_script_is_in_the_error(tmp_path: Path, shell: str, text: str) -> None:
    error = refused(Live(tmp_path), user=b64("#!/bin/%s\n%s" % (shell, text)), execute="user_data")
    assert error.reason == "custom data script failed" and SECRET not in str(error)


def test_a_time_limit(tmp_path: Path) -> None:
    error = refused(
        Live(tmp_path),
        b64("#!/bin/sh\necho begun to wait\nsleep 1000\n"),
        execute="both",
        timeout_s=1.0,
    )
    assert error.reason == "custom data script took too long"
    assert {key: error.details[key] for key in ("limit_s", "which")} == {
        "limit_s": "1.0",
        "which": "custom data",
    }


def test_the_limit_is_for_both_together(tmp_path: Path) -> None:
    error = refused(
        Live(tmp_path),
        b64("#!/bin/sh\nsleep 1\n"),
        b64("#!/bin/sh\nsleep 1000\n"),
        "both",
        timeout_s=2.0,
    )
    assert (error.reason, error.details["which"]) == (
        "custom data script took too long",
        "user data",
    )


def ways() -> List[Any]:
    supported, script = (
        "custom data has a format that is not supported",
        "custom data is not a script",
    )
    return [
        (b64("#cloud-config\nusers: [%s]\n" % SECRET), supported, "format", "#cloud-config"),
        (b64("#cloud-boothook\n#!/bin/sh\n"), supported, "format", "#cloud-boothook"),
        (b64("MIME-Version: 1.0\n"), supported, "format", "MIME"),
        (b64("echo %s\n" % SECRET), script, "why", "it does not begin with #!"),
        (
            b64("\ufeff#!/bin/sh\n"),
            script,
            "why",
            "a byte-order mark or white space is before its #!",
        ),
        (b64("#!/bin/sh\r\necho\r\n"), script, "why", "its lines end in CR LF"),
        ("#!/bin/sh\necho %s\n" % SECRET, "custom data cannot be decoded", "which", "user data"),
        (
            b64("#!/nowhere/%s -e\n" % "shell"),
            "interpreter of the custom data is missing",
            "interpreter",
            "/nowhere/shell",
        ),
        (b64("#!\n"), "interpreter of the custom data is missing", "interpreter", ""),
        (
            b64("#!/etc/passwd\n"),
            "interpreter of the custom data is missing",
            "interpreter",
            "/etc/passwd",
        ),
    ]


@pytest.mark.parametrize("text, reason, key, value", ways())
def test_what_cannot_be_executed(
    tmp_path: Path, text: str, reason: str, key: str, value: str
) -> None:
    """It is kept all the same. The other one, which is a script, does not run either when this one
    is known not to.
    """
    error = refused(Live(tmp_path), b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path), text, "both")
    assert (error.reason, error.details[key]) == (reason, value) and SECRET not in str(error)
    assert (tmp_path / USER).exists()
    assert not (tmp_path / "ran").exists()


def test_the_settings_take_only_what_they_name() -> None:
    execute = custom_data.SETTINGS[0]
    assert convert(execute, "both") == "both"
    with pytest.raises(ValueError, match="expected one of: none, custom_data, user_data, both"):
        convert(execute, "yes")


def test_a_folder_that_is_a_link_as_it_is_on_a_real_machine(tmp_path: Path) -> None:
    (tmp_path / "var/lib/lightinit/instances/the-id").mkdir(parents=True)
    os.symlink("instances/the-id", str(tmp_path / "var/lib/lightinit/instance"))
    apply(Live(tmp_path), b64("#!/bin/sh\nexit 0\n"), execute="both")
    assert sorted(os.listdir(str(tmp_path / "var/lib/lightinit/instances/the-id"))) == [
        "custom-data",
        "custom-data-script",
        "sem",
    ]


# -- once
# --------------------------------------------------------------------------------------------------


def counting(tmp_path: Path, name: str, more: str = "") -> str:
    return b64("#!/bin/sh\necho x >>%s/%s\n%s\n" % (tmp_path, name, more))


def count(tmp_path: Path, name: str) -> int:
    return (tmp_path / name).read_text().count("x") if (tmp_path / name).exists() else 0


def again(outcome: str, which: str = "custom data") -> str:
    return r"%s script began at \d{4}-\d\d-\d\dT[\d:]{8}Z, %s: not executed again\Z" % (
        which,
        re.escape(outcome),
    )


@pytest.mark.parametrize(
    "more, reason, outcome",
    [
        ("exit 7", "custom data script failed", "failed with status 7"),
        ("sleep 1000", "custom data script took too long", "was killed at the limit of 1 s"),
    ],
)
def test_a_script_that_failed_is_not_executed_again(
    tmp_path: Path, more: str, reason: str, outcome: str
) -> None:
    system, text = Live(tmp_path), counting(tmp_path, "ran", more)
    error = refused(system, text, execute="custom_data", timeout_s=1.0)
    assert (
        error.reason == reason and "lightinit module custom_data --force" in error.details["hint"]
    )
    for _ in range(2):
        found = apply(system, text, execute="custom_data", timeout_s=1.0)
        assert found.message == "custom data kept" and not found.skipped
        assert [bool(re.match(again(outcome), each)) for each in found.warnings] == [True], (
            found.warnings
        )
    assert count(tmp_path, "ran") == 1


def test_one_that_has_succeeded_is_not_executed_again_either(tmp_path: Path) -> None:
    """As when the power is cut after its end, before the module's own mark is written."""
    system, text = Live(tmp_path), counting(tmp_path, "ran")
    assert apply(system, text, execute="both") == Outcome("custom data kept and executed")
    assert apply(system, text, execute="both") == Outcome("custom data kept and executed before")
    assert count(tmp_path, "ran") == 1


def stop(*_: Any) -> None:
    raise Stopped(143)


def test_one_that_restarts_the_machine_is_not_executed_again(tmp_path: Path) -> None:
    """systemd sends lightinit SIGTERM then. The next boot goes on with what has not begun."""
    system = Live(tmp_path)
    first, second = (
        counting(tmp_path, "first", "kill -TERM $PPID; sleep 1000"),
        counting(tmp_path, "second"),
    )
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            apply(system, first, second, "both")
        assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 0)
        found = apply(system, first, second, "both")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert found.message == "custom data kept, user data kept and executed"
    assert len(found.warnings) == 1 and re.match(again("did not end"), found.warnings[0])
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 1)


def test_when_the_first_has_failed_the_second_is_never_executed(tmp_path: Path) -> None:
    system, first, second = (
        Live(tmp_path),
        counting(tmp_path, "first", "exit 3"),
        counting(tmp_path, "second"),
    )
    assert refused(system, first, second, execute="both").details["which"] == "custom data"
    found = apply(system, first, second, "both")
    assert found.message == "custom data kept, user data kept" and len(found.warnings) == 2
    assert found.warnings[1] == "user data not executed, because custom data failed"
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 0)


def test_when_the_second_has_failed_neither_is_executed_again(tmp_path: Path) -> None:
    system, first, second = (
        Live(tmp_path),
        counting(tmp_path, "first"),
        counting(tmp_path, "second", "exit 3"),
    )
    assert refused(system, first, second, execute="both").details["which"] == "user data"
    found = apply(system, first, second, "both")
    assert found.message == "custom data kept and executed before, user data kept"
    assert len(found.warnings) == 1 and re.match(
        again("failed with status 3", "user data"), found.warnings[0]
    )
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 1)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"began": 1}', "\x00" * 99])
def test_a_damaged_mark_says_that_it_has_begun(tmp_path: Path, content: str) -> None:
    system, text = Live(tmp_path), counting(tmp_path, "ran")
    (tmp_path / FOLDER / "sem").mkdir(parents=True)
    (tmp_path / FOLDER / "sem/module.custom_data+custom-data").write_text(content)
    found = apply(system, text, execute="both")
    assert found.warnings == (
        "custom data script began at an unknown time, did not end: not executed again",
    )
    assert count(tmp_path, "ran") == 0


def test_one_that_cannot_be_marked_is_not_executed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "sem").write_text("in the way")
    assert (
        refused(Live(tmp_path), counting(tmp_path, "ran"), execute="both").reason
        == "file cannot be written"
    )
    assert count(tmp_path, "ran") == 0


def test_one_that_could_not_be_started_has_not_begun(tmp_path: Path) -> None:
    """The kernel takes no variable of this length."""
    system, text = Live(tmp_path), counting(tmp_path, "ran")
    with pytest.raises(ProvisioningError, match="command cannot be started"):
        custom_data.apply(
            Instance("x" * 200000, custom_data=text), system, {"execute": "both", "timeout_s": 60.0}
        )
    assert not os.listdir(str(tmp_path / FOLDER / "sem"))
    assert (
        apply(system, text, execute="both").message == "custom data kept and executed"
        and count(tmp_path, "ran") == 1
    )


@pytest.mark.parametrize("status", [0, 7])
def test_how_it_ended_counts_even_if_it_cannot_be_kept(
    tmp_path: Path, caplog: Any, status: int
) -> None:
    sem = tmp_path / FOLDER / "sem"
    text = counting(tmp_path, "ran", "rm -r %s && echo >%s; exit %d" % (sem, sem, status))
    if status:
        assert refused(Live(tmp_path), text, execute="both").details["status"] == "7"
    else:
        assert (
            apply(Live(tmp_path), text, execute="both").message == "custom data kept and executed"
        )
    assert "custom data: how its script ended cannot be kept: file cannot be written" in caplog.text


class PowerCut(BaseException):
    """Nothing catches this."""


class Failing(Live):
    """Its power is cut at its Nth change, before it or right after."""

    def __init__(self, root: Any, cut_at: int, after: bool) -> None:
        super().__init__(root)
        self.changes, self._cut_at, self._after = [], cut_at, after  # type: List[str], int, bool

    def write(self, name: str, *arguments: Any, **more: Any) -> None:
        self.changes.append(name)
        if len(self.changes) == self._cut_at and not self._after:
            raise PowerCut(name)
        super().write(name, *arguments, **more)
        if len(self.changes) == self._cut_at:
            raise PowerCut(name)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_the_power_is_cut_it_is_executed_at_most_once(tmp_path: Path, after: bool) -> None:
    """Only a cut between the mark and the script's start loses it."""
    whole = Failing(tmp_path / "whole", 0, after)
    apply(whole, counting(tmp_path, "ran"), execute="both")
    lost = []
    for cut_at, name in enumerate(whole.changes, 1):
        (tmp_path / "ran").write_text("")
        root = tmp_path / str(cut_at)
        with pytest.raises(PowerCut):
            apply(Failing(root, cut_at, after), counting(tmp_path, "ran"), execute="both")
        apply(Live(root), counting(tmp_path, "ran"), execute="both")
        assert count(tmp_path, "ran") <= 1, name
        lost += [name] if not count(tmp_path, "ran") else []
    mark = "/" + FOLDER + "sem/module.custom_data+custom-data"
    assert whole.changes.count(mark) == 2, "when it begins and when it has ended"
    assert lost == ([mark] if after else [])


def test_that_is_once_in_each_boot_where_the_module_runs_in_each(tmp_path: Path) -> None:
    system, instance = (
        Live(tmp_path),
        Instance("the-id", custom_data=counting(tmp_path, "ran", "exit 1")),
    )
    each_boot = {"execute": "both", "timeout_s": 60.0, "frequency": "boot"}
    for boot_id in ("one", "two"):
        system.write("/proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")
        with pytest.raises(ProvisioningError):
            custom_data.apply(instance, system, each_boot)
        assert len(custom_data.apply(instance, system, each_boot).warnings) == 1
    assert count(tmp_path, "ran") == 2


def context_of(root: Path, instance_id: str, text: str, more: str = "") -> Context:
    (root / "etc/lightinit").mkdir(parents=True, exist_ok=True)
    (root / "etc/lightinit/lightinit.conf").write_text(
        "[module.custom_data]\nexecute = custom_data\n" + more
    )
    system = Live(root)
    context = boot.make_context(
        system,
        settings_files.load(system, datasource_schema, module_schema),
        Timeline(system.clock),
    )
    context.use_instance(instance_id)
    assert context.state is not None
    context.state.make_current()
    context.instance = Instance(instance_id, custom_data=text)
    return context


def test_a_failure_is_the_first_boots_alone(tmp_path: Path) -> None:
    """The module is done at the next one. By force, and on a new instance, it is executed again."""
    text = counting(tmp_path, "ran", "exit 7")
    steps = [run_module(context_of(tmp_path, "a", text), "custom_data") for _ in range(3)]
    assert [step.result for step in steps] == ["failed", "ok", "already"] and count(
        tmp_path, "ran"
    ) == 1
    assert all(re.match(again("failed with status 7"), step.warnings[0]) for step in steps[1:])
    assert run_module(context_of(tmp_path, "a", text), "custom_data", force=True).result == "failed"
    assert count(tmp_path, "ran") == 2
    assert run_module(context_of(tmp_path, "a", text), "custom_data").result == "ok"
    assert run_module(context_of(tmp_path, "b", text), "custom_data").result == "failed"
    assert count(tmp_path, "ran") == 3


def test_the_module_learns_how_often_it_runs(tmp_path: Path) -> None:
    text = counting(tmp_path, "ran", "exit 7")
    for boot_id in ("one", "two"):
        Live(tmp_path).write("/proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")
        step = run_module(context_of(tmp_path, "a", text, "frequency = boot\n"), "custom_data")
        assert step.result == "failed" and count(tmp_path, "ran") == (1 if boot_id == "one" else 2)
