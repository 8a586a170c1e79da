"""Files of shell assignments: what is replaced, and what stays."""

from __future__ import annotations

import pytest

from lightinit.formats.assignments import edit_assignment, read_assignment


@pytest.mark.parametrize(
    "before, after",
    [
        ('# x\nhostname="old"\n', '# x\nhostname="vm1"\n'),
        ("hostname='old' # mine\nother=1\n", "hostname='vm1' # mine\nother=1\n"),
        ("hostname=old", "hostname=vm1"),
        ("hostname=\n", "hostname=vm1\n"),
        ("  export hostname=old\n", "  export hostname=vm1\n"),
        ("hostname=a\nhostname=b\n", "hostname=vm1\nhostname=vm1\n"),
        ("hostname=vm1\n", "hostname=vm1\n"),
        ("#hostname=old\nmy_hostname=x", '#hostname=old\nmy_hostname=x\nhostname="vm1"\n'),
        ("", 'hostname="vm1"\n'),
    ],
)
def test_an_assignment(before: str, after: str) -> None:
    assert edit_assignment(before, "hostname", "vm1", add=True) == after
    assert read_assignment(after, "hostname") == "vm1"


def test_an_assignment_is_not_added_unasked() -> None:
    assert edit_assignment("NETWORKING=yes\n", "HOSTNAME", "vm1", add=False) == "NETWORKING=yes\n"
