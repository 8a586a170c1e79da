"""`lightinit generalize` and `clean --user` with this machine's own userdel, sudo, sshd, on copies
in memory.

Each test runs tests/real_tools/namespaced/image.py in mount and UTS namespaces of its own, where
the machine's own root file system is read-only.
"""

from __future__ import annotations

from typing import Any, Dict

from tests.lib.namespaced import run_scenario


def inside(scenario: str, *tools: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/image.py and give what it saw."""
    needed = ("useradd", "sudo", "visudo", "ssh-keygen", "sshd", "pwck", "pgrep")
    return run_scenario("image.py", scenario, *needed, *tools)


def check_gone(seen: Dict[str, Any]) -> None:
    """What holds for an account however it was removed."""
    assert seen["user"] == "exit 2: " and seen["group"] == "exit 2: "
    assert {line.split(":")[1] for line in seen["member"].split("\n")} == {"0"}, seen["member"]
    assert seen["home"] == [] and "bob\n" not in seen["cron"] + "\n"
    assert not seen["rule"] and seen["visudo"] == ""
    assert "no changes" not in seen["pwck"] and not seen["pwck"].startswith("exit"), seen["pwck"]
    assert not seen["grpck"].startswith("exit"), seen["grpck"]
    assert seen["locks"] == []


def test_a_user_who_is_logged_in_makes_the_image() -> None:
    seen = inside("by_its_own_user", "userdel")
    assert "removed the user bob, /home/bob" in seen["said"]
    assert "Next, without a reboot" in seen["said"] and "this may be your last" in seen["said"]
    assert "Shutdown writes a random seed and a DHCP lease once more: harmless" in seen["said"]
    assert seen["runs"], "no process was killed"
    assert "and the session went on" in seen["said"]
    check_gone(seen)
    assert (seen["machine_id"], seen["hostname"], seen["left"], seen["keys"]) == (
        "",
        "localhost\n",
        [],
        [],
    )
    assert seen["again"].split("\n")[-1] == "nothing left to do"


def test_what_an_instance_of_the_image_gets() -> None:
    seen = inside("and_then_booted", "userdel")
    assert "no hostkeys available" in seen["without"], "what this test is about"
    assert "SSH host keys made" in seen["keys"] and seen["sshd"] == ""
    assert "the SSH host keys stay: lightinit.service is not enabled" in seen["not_enabled"], (
        "and sshd starts"
    )
    assert seen["user"] == "made user bob" and ".profile" in seen["facts"]["home"]
    assert "deep" not in seen["facts"]["home"]
    machine_id = seen["machine_id"].split("\n")[-1]
    assert len(machine_id) == 32 and machine_id != "0123456789abcdef0123456789abcdef"


def test_no_copy_of_the_account_files_has_the_account() -> None:
    """S2: no hash and no name of hers is left, nor an old id in the key-value pool."""
    seen = inside("with_a_password", "userdel", "usermod", "chpasswd", "su")
    assert "/etc/shadow-" in seen["before"] and "/var/backups/shadow.bak" in seen["before"]
    assert seen["unchanged"], "--dry-run changes nothing"
    assert "would be removed  users" in seen["plan"] and "its lines in /etc/shadow-" in seen["plan"]
    assert "Next, without a reboot" in seen["said"], seen["said"]
    assert seen["left"] == ""
    assert seen["pool"] == [0, 0] and seen["logs"] == [0, 0]
    assert seen["jobs"] == [] and seen["copies"] == []
    assert [name for name in seen["tmp"] if name != "t"] == ["share"], "a share stays, links go"
    assert seen["share"] == ["data"] and "note: /tmp/share stays" in seen["said"]
    assert "nothing left to do" in seen["again"], seen["again"]
    assert not seen["pwck"].startswith("exit"), seen["pwck"]


def test_without_any_tool() -> None:
    seen = inside("without_tools")
    assert "removed the user bob, /home/bob" in seen["said"]
    check_gone(seen)
    assert (seen["machine_id"], seen["keys"]) == ("", [])
    assert seen["hostname"] == "used\n" and len(seen["left"]) == 4, "clean leaves these"


def test_busyboxs_deluser() -> None:
    seen = inside("busybox", "deluser")
    assert "removed the user bob, /home/bob" in seen["said"]
    seen["pwck"] = seen["grpck"] = ""  # the stand-in is coarse
    seen["member"] = "subuid:0"
    check_gone(seen)
