"""The module rsyslog on scratch roots; tests/real_tools has it with a real rsyslogd."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import rsyslog


def host(root: Any) -> System:
    system = System(root)
    system.write("/usr/sbin/rsyslogd", b"", 0o755)
    return system


def apply(system: System, given: Any) -> Outcome:
    settings = rsyslog.from_cloud_config({"rsyslog": given})
    return rsyslog.apply(Instance("id"), system, settings)


def test_the_files_are_written(tmp_path: Any) -> None:
    system = host(tmp_path)
    given = {
        "configs": ["*.* /a", {"content": "x\n", "filename": "01.conf"}, "*.* /b\n"],
        "remotes": {"maas": "10.0.0.1", "juju\nx": "local0.* @@10.0.4.1:10514 # c"},
    }
    for _ in range(2):
        assert apply(system, given) == Outcome("2 files of rsyslog in /etc/rsyslog.d")
        assert system.read_text("/etc/rsyslog.d/01.conf") == "x\n"
        assert system.read_text("/etc/rsyslog.d/20-cloud-config.conf") == (
            "*.* /a\n*.* /b\n# begin remotes\n*.* @10.0.0.1 # maas\n"
            "local0.* @@10.0.4.1:10514 # juju x\n# end remotes\n"
        )


def test_folder_and_name(tmp_path: Any) -> None:
    system = host(tmp_path)
    given = {"config_dir": "/opt/r/", "config_filename": "9.conf", "remotes": {"a": "b"}}
    apply(system, given)
    assert system.list_dir("/opt/r") == ["9.conf"] and not system.exists("/etc/rsyslog.d")


def test_without_rsyslog_the_files_wait_for_it(tmp_path: Any) -> None:
    system = System(tmp_path)
    outcome = apply(system, {"configs": ["x"]})
    assert "add it to the cloud-config's `packages`" in outcome.warnings[0]
    assert system.read_text("/etc/rsyslog.d/20-cloud-config.conf") == "x\n"


def test_a_folder_that_is_a_file_is_told(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.write("/etc/rsyslog.d", b"")
    with pytest.raises(ProvisioningError, match=r"file cannot be (read|written)"):
        apply(system, {"configs": ["x"]})


@pytest.mark.parametrize("given", [None, "x"])
def test_without_the_key_nothing_is_done(tmp_path: Any, given: Any) -> None:
    assert apply(host(tmp_path), given).skipped
