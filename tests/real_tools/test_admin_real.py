"""Accounts that a server lets in, today and after months; and accounts of the image for people.

Each test runs tests/real_tools/namespaced/admin.py, as test_users_real.py does it.
"""

from __future__ import annotations

from typing import Any, Dict

from tests.lib.namespaced import run_scenario
from tests.real_tools.namespaced.admin import POLICIES


def seen_by(scenario: str, *tools: str) -> Dict[str, Any]:
    return run_scenario("admin.py", scenario, *tools)


def test_a_shell_that_dropbear_accepts() -> None:
    """R8: mkj/dropbear#176."""
    seen = seen_by("dropbear", "useradd", "dropbear", "dropbearkey", "ssh", "ssh-keygen")
    warnings, logged_in = seen.pop("wished")
    assert logged_in and warnings == [
        "shell /bin/bash in the settings is not in /etc/shells, so dropbear refuses it; using"
        " another one"
    ]
    shells = {name: found[1] for name, found in seen.items()}
    assert {name: shell for name, shell in shells.items() if name.endswith("new")} == {
        "usual: new": "/bin/bash",
        "none: new": "/bin/sh",
        "sh alone: new": "/bin/sh",
        "bash commented out: new": "/bin/sh",
        "others: new": "/usr/bin/dash",
        "restricted: new": "/bin/sh",
        "empty: new": "/bin/sh",
    }
    for name, (warnings, shell, logged_in, listed) in seen.items():
        assert logged_in, name
        added = listed.split("\n")[-2:-1] if warnings else []
        assert added == ([shell] if warnings else []), name
        if name.endswith("old"):
            assert shell == "/bin/bash" and bool(warnings) == (name != "usual: old"), name
    assert seen["none: old"][3] == "/bin/sh\n/bin/csh\n/bin/bash\n"


def test_an_account_without_a_password_does_not_age() -> None:
    """R9: dev-sec/ansible-collection-hardening#681."""
    seen = seen_by("ageing", "useradd", "chage", "chpasswd", "sudo")
    assert seen["alone"] == ["7", "60", "7", "30", "47481"], "what this test is about"
    never = ["0", "99999", "7", "", ""]
    assert seen["useradd"] == seen["no tools"] == never
    # Somebody has chosen the day on which the image's account ends.
    assert seen["there already"] == never[:4] + ["47481"]
    assert seen["with a password"] == seen["alone"]
    assert seen["warnings"] == [[], []] and seen["again"] == "user bob was there already"
    for line in ("Password expires", "Password inactive", "Account expires"):
        told = [each for each in seen["chage"].split("\n") if each.startswith(line)]
        assert told and told[0].endswith(": never"), line
    assert "no changes" not in seen["pwck"] and not seen["pwck"].startswith("exit")


def test_whatever_the_policy_a_login_works() -> None:
    """R9, siblings: odd policies in login.defs and default/useradd, and no chage."""
    seen = seen_by("policies", "useradd", "su")
    assert set(seen) == set(POLICIES)
    for name, (warnings, fields, said) in seen.items():
        assert (warnings, said) == ([], "in"), name
        assert fields[0] in ("0", "") and fields[1] in ("99999", "", "-1"), name
        assert fields[3:] == ["", ""], name


def test_groups_that_cannot_be_joined_cost_no_vm() -> None:
    seen = seen_by("groups", "useradd", "usermod")
    assert len(seen["fails"]) == 1 and seen["fails"][0].startswith("image has not joined adm, ")
    assert "cannot lock" in seen["fails"][0]
    assert seen["then"] == [[], True]


def test_an_account_for_people_with_a_low_id_is_taken() -> None:
    """R10: flatcar's core (uid 500), Azure/WALinuxAgent#73. Accounts of services are refused."""
    seen = seen_by("low_ids", "useradd", "ssh-keygen")
    assert seen.pop("root") == [], "no key for root"
    taken = {name: seen.pop(name) for name in ("core", "opc", "linked", "ubuntu")}
    ids = {"core": "500", "opc": "510", "linked": "511", "ubuntu": "1500"}
    assert taken == {name: [uid] for name, uid in ids.items()}
    reasons = {name: said[0].split(" (")[0] for name, said in seen.items()}
    system = "failed: user name belongs to a system account"
    assert reasons == {
        "nologin": "failed: user name belongs to an account that cannot log in",
        "database": system,
        "homeless": system,
        "lodger": system,
        "true": "failed: user name belongs to an account that cannot log in",
        "rooms": "failed: authorized keys are read from a shared file only",
        "landlord": system,
    }
