"""The modules custom_data and scripts: what is kept in a scratch root, and what is executed on a
stand-in for a live machine.

Scripts run for real here, but none changes anything; tests/real_tools has them on the real paths.
"""

from __future__ import annotations

import gzip
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from lightinit.host.system import System
from lightinit.model import Outcome
from lightinit.settings import convert
from lightinit.settings.shipped import SHIPPED
from tests.lib.custom_data import CUSTOM, SECRET, USER, apply, b64, mode, refused
from tests.lib.scripts import ReachedClock
from tests.lib.stand_in import LiveRoot

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
        ("#cloud-config-jsonp\npassword: hunter2\n", "#cloud-config-jsonp"),
        ("#part-handler\n", "#part-handler"),
        ('{"ignition": {}}', "Ignition"),
    ],
)
def test_what_only_cloud_init_understands_is_kept_and_told(
    tmp_path: Path, text: str, name: str
) -> None:
    outcome = apply(System(str(tmp_path)), user=b64(text), execute="both")
    assert outcome.warnings == (
        "user data has a format that only cloud-init understands (%s): it is kept and has no effect"
        % name,
    )
    assert (tmp_path / USER).read_text() == text


@pytest.mark.parametrize(
    "text, says",
    [
        ("# cloud-config\nhostname: x\n", "nearly `#cloud-config`; write"),
        ("#cloud-confg\nhostname: x\n", "nearly `#cloud-config`; write"),
        ("\n##template:jinja\n#!/bin/sh\n", "nearly `## template: jinja`; write"),
        ("# Mine.\r\n#cloud-config\r\nhostname: x\r\n", "`#cloud-config` is not the first line"),
        ("# Mine.\nruncmd:\n- x\n", "it has keys of a cloud-config; begin it"),
        ("packages: [x]\n", "it has keys of a cloud-config; begin it"),
        (b"\xfd7zXZ\0x", "it is packed by xz, and only gzip"),
        ("PK\x03\x04x", "it is packed by zip, and only gzip"),
        ("# A note.\nname: x\n", ""),
        ("name: x\nlist:\n  packages: y\n", ""),
        ("", ""),
    ],
)
def test_a_slip_in_the_first_line_is_told(tmp_path: Path, text: str, says: str) -> None:
    """What else is of no known kind is for programs of the image, and nothing is said."""
    warnings = apply(System(str(tmp_path)), user=b64(text or " "), execute="both").warnings
    if not says:
        assert warnings == ()
        return
    assert len(warnings) == 1 and warnings[0].startswith("user data is kept and has no effect: ")
    assert says in warnings[0]


def test_a_script_is_not_executed_unasked(tmp_path: Path) -> None:
    outcome = apply(LiveRoot(tmp_path), b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path))
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
    told = "custom data kept; written and not executed: /%s-script" % CUSTOM
    assert outcome == Outcome(told) and "scripts of user data" in system.skipped
    assert mode(tmp_path / (CUSTOM + "-script")) == 0o700
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
    outcome = apply(LiveRoot(tmp_path), b64(script % ("custom", tmp_path)), b64(packed), execute)
    seen = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else ""
    assert seen == ran
    told = outcome.message.partition("; ")[2]
    assert told.count("executed") == len(ran.split())
    assert mode(tmp_path / CUSTOM) == 0o600
    if "custom" in ran:
        assert mode(tmp_path / (CUSTOM + "-script")) == 0o700


def test_its_output_is_in_the_log_and_it_knows_its_instance(tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        apply(
            LiveRoot(tmp_path),
            b64("#! /bin/sh\necho id $LIGHTINIT_INSTANCE_ID\necho bad >&2\n"),
            execute="both",
        )
    assert [record.getMessage() for record in caplog.records if record.name == "lightinit.scripts"][
        1:-1
    ] == ["custom data: id the-id", "custom data: bad"]


def test_a_failure_has_its_status(tmp_path: Path) -> None:
    error = refused(
        LiveRoot(tmp_path),
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
    error = refused(
        LiveRoot(tmp_path), user=b64("#!/bin/%s\n%s" % (shell, text)), execute="user_data"
    )
    assert error.reason == "custom data script failed" and SECRET not in str(error)


def test_a_time_limit(tmp_path: Path) -> None:
    error = refused(
        LiveRoot(tmp_path),
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
        LiveRoot(tmp_path, ReachedClock(tmp_path / "one", tmp_path / "two", step_s=40.0)),
        b64("#!/bin/sh\n>%s/one\nsleep 0.3\n" % tmp_path),
        b64("#!/bin/sh\n>%s/two\nsleep 1000\n" % tmp_path),
        "both",
        timeout_s=60.0,
    )
    assert (error.reason, error.details["which"]) == (
        "custom data script took too long",
        "user data",
    )


@pytest.mark.parametrize(
    "text, path",
    [
        (b64("#!/nowhere/%s -e\n" % "shell"), "/nowhere/shell"),
        (b64("#!\n"), ""),
        (b64("#!/etc/passwd\n"), "/etc/passwd"),
    ],
)
def test_what_cannot_be_executed(tmp_path: Path, text: str, path: str) -> None:
    """It is kept all the same. The other one, which is a script, does not run either when this one
    is known not to.
    """
    error = refused(LiveRoot(tmp_path), b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path), text, "both")
    assert error.reason == "interpreter of the custom data is missing"
    assert error.details["interpreter"] == path
    assert (tmp_path / USER).exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "text, warns",
    [
        (b64("#part-handler\n%s\n" % SECRET), True),
        (b64('{"ignition": {}}'), True),
        (b64("echo %s\n" % SECRET), False),
        (b64(b"\x7fELF\x00" * 1000), False),
        ("#!/bin/sh\necho %s\n" % SECRET, True),
    ],
    ids=["part handler", "Ignition", "text", "binary", "not base64"],
)
def test_what_is_no_script_does_not_stop_the_other_document(
    tmp_path: Path, text: str, warns: bool
) -> None:
    """By default all is run, so data that a program of the image reads are no failure."""
    outcome = apply(LiveRoot(tmp_path), b64("#!/bin/sh\ntouch %s/ran\n" % tmp_path), text, "both")
    assert outcome.message == "custom data kept, user data kept; custom data executed"
    assert (tmp_path / "ran").exists() and (tmp_path / USER).exists()
    assert len(outcome.warnings) == warns and SECRET not in str(outcome)


def test_the_settings_take_only_what_they_name() -> None:
    execute = SHIPPED["custom_data"].settings[0]
    assert execute.replaced_by and convert(execute, "both") == "both"
    with pytest.raises(ValueError, match="expected one of: none, custom_data, user_data, both"):
        convert(execute, "yes")


def test_a_folder_that_is_a_link_as_it_is_on_a_real_machine(tmp_path: Path) -> None:
    (tmp_path / "var/lib/lightinit/instances/the-id").mkdir(parents=True)
    os.symlink("instances/the-id", str(tmp_path / "var/lib/lightinit/instance"))
    apply(LiveRoot(tmp_path), b64("#!/bin/sh\nexit 0\n"), execute="both")
    assert sorted(os.listdir(str(tmp_path / "var/lib/lightinit/instances/the-id"))) == [
        "custom-data",
        "custom-data-script",
        "sem",
    ]
