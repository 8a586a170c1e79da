"""Files that are read whole and replaced whole."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.files.access import Access
from lightinit.host.files.candidate import FOLDER, candidate
from lightinit.host.files.text import (
    edit_text_file,
    read_file,
    read_text_file,
    write_text_file,
)
from lightinit.host.system import System
from tests.lib.files import get, mode_of, put


def test_a_missing_file(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert read_text_file(system, "/etc/motd") is None
    with pytest.raises(FileNotFoundError):
        read_file(system, "/etc/motd")
    assert not edit_text_file(system, "/etc/motd", lambda text: text + "new\n")
    assert os.listdir(str(tmp_path)) == []


def test_what_cannot_be_read_is_an_error_with_the_callers_reason(tmp_path: Any) -> None:
    put(tmp_path, "/etc/motd", b"12345")
    os.mkdir(str(tmp_path) + "/etc/folder")
    system = System(tmp_path)
    with pytest.raises(ProvisioningError) as caught:
        read_file(system, "/etc/motd", 4, reason="it is gone", entry=3)
    assert caught.value.reason == "it is gone"
    assert list(caught.value.details.items())[:2] == [("entry", "3"), ("path", "/etc/motd")]
    with pytest.raises(ProvisioningError, match="file cannot be read"):
        read_text_file(system, "/etc/folder")
    with pytest.raises(ProvisioningError, match="file cannot be read"):
        edit_text_file(system, "/etc/folder", str)


def test_an_edit_keeps_the_mode_and_odd_bytes(tmp_path: Any) -> None:
    path = put(tmp_path, "/etc/motd", b"j\xf6rg\n", 0o640)
    system = System(tmp_path)
    assert edit_text_file(system, "/etc/motd", lambda text: text + "bob\n")
    assert (get(path), mode_of(path)) == (b"j\xf6rg\nbob\n", 0o640)
    before = os.stat(path).st_ino
    assert not edit_text_file(system, "/etc/motd", str)
    assert os.stat(path).st_ino == before


def test_a_new_file_has_the_mode_that_is_asked_for(tmp_path: Any) -> None:
    system = System(tmp_path)
    write_text_file(system, "/etc/motd", "hello\n")
    write_text_file(system, "/etc/key", "secret\n", Access(0o600))
    assert [mode_of(str(tmp_path) + name) for name in ("/etc/motd", "/etc/key")] == [0o644, 0o600]


def test_a_candidate_goes_whatever_happens(tmp_path: Any) -> None:
    system = System(tmp_path)
    with pytest.raises(KeyError):
        with candidate(system, "/etc/sudoers", "rule\n", 0o440) as place:
            assert place == FOLDER + "/sudoers" and read_text_file(system, place) == "rule\n"
            assert mode_of(str(tmp_path) + place) == 0o440
            raise KeyError
    assert os.listdir(str(tmp_path) + FOLDER) == [] and not system.exists("/etc/sudoers")
    assert mode_of(str(tmp_path) + FOLDER) == 0o700
