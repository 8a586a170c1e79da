"""A PAM stack: which modules are asked, and whose refusal counts."""

from __future__ import annotations

from typing import Dict, List, Tuple

import pytest

from lightinit.formats.pam.conditions import read_listfile, succeed_if
from lightinit.formats.pam.stack import MAX_LINES, read_stack

FILES: Dict[str, str] = {
    "debian": "account required pam_nologin.so\n@include common\nsession optional x.so\n",
    "common": "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n"
    "account requisite pam_deny.so\naccount required pam_permit.so # all\n",
    "redhat": "account required pam_sepermit.so\naccount include common2\n",
    "common2": "account sufficient pam_localuser.so\n"
    "-Account required /lib/pam_access.so a=[b] \\\n c\n",
    "substack": "account substack common2\naccount required last.so\n",
    "optional": "account optional a.so\naccount [default=ignore] b.so\n"
    "account [default=die] c.so\n",
    "loop": "@include loop\naccount include loop\n" * 3,
    "many": "account required a.so\n" * (MAX_LINES + 9),
    "odd": "account\naccount required\n[x\naccount [default=bad a.so\n",
}


def read(service: str) -> List[Tuple[str, bool, bool]]:
    entries = read_stack(service, "account", lambda name: FILES.get(name, ""))
    return [(entry.module, entry.counts, entry.certain) for entry in entries]


@pytest.mark.parametrize(
    "service, expected",
    [
        ("none", []),
        (
            "debian",
            [
                ("pam_nologin.so", True, True),
                ("pam_unix.so", False, True),
                ("pam_deny.so", True, False),
                ("pam_permit.so", True, True),  # what pam_unix skips is one line
            ],
        ),
        (
            "redhat",
            [
                ("pam_sepermit.so", True, True),
                ("pam_localuser.so", False, True),
                ("pam_access.so", True, False),
            ],
        ),
        (
            "substack",
            [
                ("pam_localuser.so", False, True),
                ("pam_access.so", True, False),
                ("last.so", True, True),
            ],
        ),
        ("optional", [("a.so", False, True), ("b.so", False, True), ("c.so", True, True)]),
        ("loop", []),
        ("odd", []),
    ],
)
def test_what_is_asked(service: str, expected: List[Tuple[str, bool, bool]]) -> None:
    assert read(service) == expected


def test_a_file_of_many_lines_is_cut() -> None:
    assert len(read("many")) == MAX_LINES


def test_arguments() -> None:
    (_, entry) = read_stack("common2", "account", lambda name: FILES[name])
    assert entry.arguments == ("a=[b", "c")


VALUES = {"user": "bob", "uid": "1000", "shell": "/bin/sh"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("user = bob", True),
        ("quiet login = eve", False),
        ("uid >= 1000 quiet", True),
        ("uid < 1000", False),
        ("uid ge 1000 user ingroup wheel:adm", True),
        ("user notingroup adm", False),
        ("user in alice:bob", True),
        ("user =~ b*", None),
        ("tty = x", None),
        ("user = eve tty = x", False),
        ("uid", None),
        ("", True),
    ],
)
def test_pam_succeed_if(text: str, expected: object) -> None:
    assert succeed_if(text.split(), VALUES, ("adm",)) is expected


def test_pam_listfile() -> None:
    words = "item=user sense=allow file=/x onerr=succeed".split()
    assert read_listfile(words) == ("user", "/x", True, True)
    assert read_listfile(["item=group"]) == ("group", "", False, False)


@pytest.mark.parametrize(
    "control, counts, needed",
    [
        ("required", True, True),
        ("optional", False, False),
        ("[success=ok ignore=ignore module_unknown=ignore default=bad]", True, False),
        ("[success=1 default=ignore]", False, False),
        ("[success=ok default=ignore module_unknown=die]", False, True),
    ],
)
def test_what_follows_if_a_module_is_not_installed(
    control: str, counts: bool, needed: bool
) -> None:
    """R7"""
    (entry,) = read_stack("sshd", "session", lambda name: "session %s pam_x.so a\n" % control)
    assert (entry.kind, entry.counts, entry.needed) == ("session", counts, needed)
