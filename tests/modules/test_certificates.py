"""The module certificates, on scratch roots."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Certificate, Instance, Outcome
from lightinit.modules import certificates

FOLDER = "/var/lib/lightinit/instance/certificates"
ONE = Certificate("A1" * 20, "certificate one\n", "key one\n")
TWO = Certificate("B2" * 20, "certificate two\n")


def apply(root: Any, *given: Certificate, folder: str = FOLDER) -> Outcome:
    return certificates.apply(Instance("id", certificates=given), System(root), {"folder": folder})


def tree(root: Any, folder: str = FOLDER) -> Dict[str, Tuple[str, int]]:
    found = {}
    for name in os.listdir(str(root) + folder):
        path = str(root) + folder + "/" + name
        with open(path, encoding="utf-8") as file:
            found[name] = (file.read(), stat.S_IMODE(os.stat(path).st_mode))
    return found


def test_what_is_written(tmp_path: Any) -> None:
    before = os.umask(0o077)
    try:
        outcome = apply(tmp_path, ONE, TWO)
    finally:
        os.umask(before)
    assert outcome == Outcome("2 certificates and 1 keys in " + FOLDER)
    assert tree(tmp_path) == {
        ONE.thumbprint + ".crt": (ONE.certificate, 0o644),
        ONE.thumbprint + ".prv": (ONE.key, 0o600),
        TWO.thumbprint + ".crt": (TWO.certificate, 0o644),
    }
    assert stat.S_IMODE(os.stat(str(tmp_path) + FOLDER).st_mode) == 0o755


def test_a_folder_of_the_sites_own_keeps_its_mode(tmp_path: Any) -> None:
    os.makedirs(str(tmp_path / "etc/pki/azure"))
    os.chmod(str(tmp_path / "etc/pki/azure"), 0o710)
    apply(tmp_path, ONE, folder="/etc/pki/azure/")
    assert len(tree(tmp_path, "/etc/pki/azure")) == 2
    assert stat.S_IMODE(os.stat(str(tmp_path / "etc/pki/azure")).st_mode) == 0o710


def test_none_given(tmp_path: Any) -> None:
    assert apply(tmp_path) == Outcome("no certificates given", skipped=True)
    assert os.listdir(str(tmp_path)) == []


def test_a_second_run_writes_nothing_and_mends_what_differs(tmp_path: Any) -> None:
    apply(tmp_path, ONE)
    path = "%s%s/%s" % (tmp_path, FOLDER, ONE.thumbprint)
    inodes = [os.stat(path + end).st_ino for end in (".crt", ".prv")]
    apply(tmp_path, ONE)
    assert [os.stat(path + end).st_ino for end in (".crt", ".prv")] == inodes
    os.chmod(path + ".prv", 0o644)
    with open(path + ".crt", "w", encoding="utf-8") as file:
        file.write("half")
    apply(tmp_path, ONE)
    assert tree(tmp_path) == {
        ONE.thumbprint + ".crt": (ONE.certificate, 0o644),
        ONE.thumbprint + ".prv": (ONE.key, 0o600),
    }


def test_a_key_that_is_no_longer_at_hand_stays_and_so_do_others_files(tmp_path: Any) -> None:
    apply(tmp_path, ONE, TWO)
    outcome = apply(tmp_path, Certificate(ONE.thumbprint, ONE.certificate))
    assert outcome.message.endswith(
        "; 1 existing key files stay, since lightinit no longer has the keys"
    )
    assert tree(tmp_path)[ONE.thumbprint + ".prv"] == (ONE.key, 0o600)
    assert TWO.thumbprint + ".crt" in tree(tmp_path)


def test_a_thumbprint_in_small_letters_is_written_in_capitals(tmp_path: Any) -> None:
    apply(tmp_path, Certificate("ab" * 20, "x\n"))
    assert list(tree(tmp_path)) == ["AB" * 20 + ".crt"]


@pytest.mark.parametrize(
    "thumbprint", ["", "../../../etc/shadow", "A1" * 19, "A1" * 20 + "\n", "G1" * 20, "A1" * 21]
)
def test_a_thumbprint_that_is_none(tmp_path: Any, thumbprint: str) -> None:
    with pytest.raises(ProvisioningError, match="certificate has no thumbprint"):
        apply(tmp_path, ONE, Certificate(thumbprint, "x\n", "y\n"))
    assert os.listdir(str(tmp_path)) == []


def test_the_key_comes_before_its_certificate(tmp_path: Any) -> None:
    """A directory is in the place of the certificate, so writing that fails; the key is there by
    then.
    """
    os.makedirs("%s%s/%s.crt" % (tmp_path, FOLDER, ONE.thumbprint))
    with pytest.raises(ProvisioningError, match="file cannot be written"):
        apply(tmp_path, ONE)
    assert os.path.isfile("%s%s/%s.prv" % (tmp_path, FOLDER, ONE.thumbprint))
