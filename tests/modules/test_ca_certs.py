"""The module ca_certs on scratch roots: where each host keeps the authorities that are added."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict

import pytest

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import ca_certs
from tests.lib.authorities import BROKEN, EXPIRED, LEAF, ONE, TWO

USUAL = "/usr/local/share/ca-certificates"
CONF = "# This file\n!mozilla/Old.crt\nmozilla/A.crt\nmozilla/B.crt\n"


def host(root: Any, *folders: str, **files: str) -> System:
    system = System(root)
    for folder in folders:
        system.make_dir(folder)
    system.write("/usr/sbin/update-ca-certificates", b"", 0o755)
    return system


def apply(system: System, **given: Any) -> Outcome:
    return ca_certs.apply(
        Instance("id"), system, ca_certs.from_cloud_config({"ca_certs": dict(given)})
    )


def added(system: System, folder: str = USUAL) -> Dict[str, str]:
    return {name: system.read_text("%s/%s" % (folder, name)) for name in system.list_dir(folder)}


@pytest.mark.parametrize(
    "folder",
    [
        USUAL,
        "/etc/pki/ca-trust/source/anchors",
        "/etc/ca-certificates/trust-source/anchors",
        "/etc/pki/trust/anchors",
    ],
)
def test_each_has_a_file_of_its_own(tmp_path: Any, folder: str) -> None:
    system = host(tmp_path, folder)
    system.write("/usr/bin/update-ca-trust", b"", 0o755)
    for _ in range(2):
        outcome = apply(system, trusted=["text before\n" + ONE + TWO, ONE])
        assert outcome == Outcome("2 authorities added in " + folder)
        assert sorted(added(system, folder).values()) == sorted([ONE, TWO])
    name = system.list_dir(folder)[0]
    assert name.startswith("lightinit-") and name.endswith(".crt")
    assert os.stat(system.path("%s/%s" % (folder, name))).st_mode & 0o777 == 0o644


def test_a_broken_one_is_told_and_the_others_are_kept(tmp_path: Any) -> None:
    system = host(tmp_path)
    outcome = apply(system, trusted=[BROKEN, ONE, "nothing"])
    assert list(added(system).values()) == [ONE]
    assert "certificate 1 of ca_certs is left out: certificate" in outcome.warnings[0]


@pytest.mark.parametrize(
    "pem, said", [(EXPIRED, "it has expired"), (LEAF, "it is not an authority's")]
)
def test_what_is_strange_is_kept_and_told(tmp_path: Any, pem: str, said: str) -> None:
    system = host(tmp_path)
    assert said in apply(system, trusted=[pem]).warnings[0]
    assert list(added(system).values()) == [pem]


def test_openssls_own_form_becomes_the_usual_one(tmp_path: Any) -> None:
    import base64

    der = base64.b64decode("".join(ONE.split("\n")[1:-2]))
    body = base64.b64encode(der + b"\x30\x03\x0c\x01x").decode()
    trusted = "-----BEGIN TRUSTED CERTIFICATE-----\n%s\n-----END TRUSTED CERTIFICATE-----\n" % body
    system = host(tmp_path)
    assert apply(system, trusted=trusted).warnings == ()
    assert list(added(system).values()) == [ONE]


def test_the_hosts_own_are_deselected(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.write("/etc/ca-certificates.conf", CONF.encode())
    for _ in range(2):
        assert apply(system, remove_defaults=True, trusted=[ONE]).warnings == ()
        text = system.read_text("/etc/ca-certificates.conf")
        assert text.split("\n")[1:] == [
            "# This file",
            "!mozilla/Old.crt",
            "!mozilla/A.crt",
            "!mozilla/B.crt",
            "",
        ]


def test_a_host_never_ends_with_none_by_mistake(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.write("/etc/ca-certificates.conf", CONF.encode())
    outcome = apply(system, remove_defaults=True, trusted=[BROKEN])
    assert "no certificate is left to trust" in outcome.warnings[-1]
    assert system.read_text("/etc/ca-certificates.conf") == CONF
    apply(system, remove_defaults=True)
    assert "\nmozilla/A.crt" not in system.read_text("/etc/ca-certificates.conf")


def test_where_no_file_selects_them_it_is_told(tmp_path: Any) -> None:
    system = host(tmp_path, "/etc/pki/ca-trust/source/anchors")
    outcome = apply(system, remove_defaults=True, trusted=[ONE])
    assert "remove_defaults is not done" in outcome.warnings[0]


def test_without_a_tool_the_bundle_itself_is_extended(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.remove("/usr/sbin/update-ca-certificates")
    assert "nothing here reads" in apply(system, trusted=[ONE]).warnings[0]
    system.write("/etc/ssl/certs/ca-certificates.crt", TWO.encode())
    for _ in range(2):
        assert "extended by hand" in apply(system, trusted=[ONE]).warnings[0]
        assert system.read_text("/etc/ssl/certs/ca-certificates.crt") == TWO + ONE


def test_without_the_key_nothing_is_done(tmp_path: Any) -> None:
    assert ca_certs.apply(Instance("id"), System(tmp_path), {}).skipped
    assert list(Path(str(tmp_path)).iterdir()) == []
    assert ca_certs.from_cloud_config({"ca-certs": {"remove-defaults": True}})["trust"] == (
        True,
        (),
    )
