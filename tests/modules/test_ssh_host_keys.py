"""The module ssh_host_keys on a stand-in for a live machine; the real ssh-keygen and sshd are in
tests/real_tools.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import Any, Dict, List, Optional, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import ssh_host_keys
from tests.lib.stand_in import LiveRoot

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB %s\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")


class StandIn(LiveRoot):
    """`ssh-keygen -A` makes keys of the types that it is told to. If it has `alone`, it then hangs
    at the next one; `-t` makes those.
    """

    def __init__(
        self,
        root: Any,
        tools: Sequence[str] = ("sshd", "ssh-keygen"),
        kinds: Sequence[str] = ("rsa", "ed25519"),
        alone: Optional[Sequence[str]] = None,
    ) -> None:
        super().__init__(root)
        self.tools, self.kinds, self.alone = tools, kinds, alone
        self.runs: List[str] = []

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.runs.append(" ".join(argv[:2]))
        if argv[:3] == ["/usr/bin/ssh-keygen", "-A", "-f"]:
            for kind in self.kinds:
                self._make("%s/etc/ssh/ssh_host_%s_key" % (argv[3], kind), kind)
            if self.alone is not None:
                raise ProvisioningError("command took too long", limit_s=timeout_s)
        elif argv[1:3] == ["-q", "-t"]:
            if argv[3] not in (self.alone or ()):
                return Completed(1, "", "%s is not allowed" % argv[3])
            self._make(argv[-1], argv[3])
        return Completed(0, "", "no more types" if not self.kinds else "")

    def _make(self, path: str, kind: str) -> None:
        if not os.path.exists(path) or not os.path.getsize(path):
            for name, text in ((path, "new %s\n" % kind), (path + ".pub", PUBLIC % "new")):
                with open(name, "w", encoding="utf-8") as handle:
                    handle.write(text)


def put(system: System, files: Dict[str, str], mode: int = 0o600) -> None:
    for name, text in files.items():
        path = system.root + "/etc/ssh/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(path, mode)


def keys(system: System) -> Dict[str, str]:
    """The first word of each file in /etc/ssh."""
    folder = system.root + "/etc/ssh/"
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(folder + name, encoding="utf-8") as handle:
            found[name] = handle.read().strip().split(" ")[0 if not name.endswith(".pub") else -1]
    return found


def apply(system: System, keep: bool = False) -> Outcome:
    return ssh_host_keys.apply(Instance("id"), system, {"keep_existing": keep})


DROPBEARS = "../dropbear/dropbear_ed25519_host_key"


@needs_root
@pytest.mark.parametrize(
    "tools, files, told",
    [
        (("dropbear",), {DROPBEARS: "x"}, True),
        (("dropbear", "sshd", "ssh-keygen"), {DROPBEARS: "x"}, True),
        (("dropbear",), {"../dropbear/initramfs/dropbear_rsa_host_key": "x"}, True),
        (("dropbear",), {}, False),
        (("sshd", "ssh-keygen"), {DROPBEARS: "x"}, False),
    ],
)
def test_host_keys_of_dropbear_are_told(
    tmp_path: Any, tools: Any, files: Dict[str, str], told: bool
) -> None:
    """N8, siblings: dropbear keeps the keys of the image."""
    system = StandIn(tmp_path, tools)
    put(system, files)
    warnings = apply(system).warnings
    assert len(warnings) == told
    for text in warnings:
        assert text.startswith("the host keys of dropbear are those of the image (/etc/dropbear/")
        assert "every VM of it may have the same: " in text


def test_a_scratch_root_is_left_as_it_is(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    put(system, {"ssh_host_rsa_key": "old"})
    outcome = apply(system)
    assert (
        outcome.skipped
        and "scratch root" in outcome.message
        and system.skipped == ["SSH host keys"]
    )
    assert keys(system) == {"ssh_host_rsa_key": "old"}


@pytest.mark.parametrize("tools", [(), ("dropbear",), ("ssh-keygen",)])
def test_without_openssh_there_is_nothing_to_do(tmp_path: Any, tools: Any) -> None:
    system = StandIn(tmp_path, tools)
    outcome = apply(system)
    assert (
        outcome.skipped
        and outcome.message == "no OpenSSH server, so no SSH host keys"
        and not system.runs
    )


def test_a_sshd_without_ssh_keygen_is_an_error(tmp_path: Any) -> None:
    with pytest.raises(ProvisioningError, match="ssh-keygen is missing"):
        apply(StandIn(tmp_path, ("sshd",)))


@pytest.mark.parametrize("tools", [(), ("sshd",)])
def test_the_images_keys_stay_with_a_warning(tmp_path: Any, tools: Any) -> None:
    """N8: NixOS/nixpkgs#39523; never without a word."""
    system = StandIn(tmp_path, tools)
    put(system, {"sshd_config": "UsePAM no\n", "ssh_host_rsa_key": "old"})
    outcome = apply(system)
    (warning,) = outcome.warnings
    assert warning.startswith("the SSH host keys are those of the image (ssh_host_rsa_key), so")
    assert keys(system)["ssh_host_rsa_key"] == "old" and not outcome.skipped


@needs_root
def test_a_sshd_in_an_unusual_place_is_known_by_its_configuration(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("ssh-keygen",))
    put(system, {"sshd_config": "UsePAM no\n"})
    assert apply(system).message == "2 SSH host keys made"


@needs_root
def test_all_old_ones_go(tmp_path: Any, caplog: Any) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {
            "ssh_host_rsa_key": "old",
            "ssh_host_rsa_key.pub": "old",
            "ssh_host_rsa_key-cert.pub": "old",
            "ssh_host_dsa_key": "old",
            "ssh_host_dsa_key.pub": "old",
            "ssh_host_ed25519_key": "old",
            "sshd_config": "keep",
            "moduli": "keep",
            "ssh_host_notes.txt": "keep",
        },
    )
    with caplog.at_level(logging.INFO):
        outcome = apply(system)
    assert outcome == Outcome("2 SSH host keys made", ())
    assert keys(system) == {
        "ssh_host_rsa_key": "new",
        "ssh_host_rsa_key.pub": "new",
        "ssh_host_ed25519_key": "new",
        "ssh_host_ed25519_key.pub": "new",
        "sshd_config": "keep",
        "moduli": "keep",
        "ssh_host_notes.txt": "keep",
    }
    for name, mode in (("ssh_host_rsa_key", 0o600), ("ssh_host_rsa_key.pub", 0o644)):
        status = os.stat(system.root + "/etc/ssh/" + name)
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, 0, 0)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len([text for text in said if text.startswith("SSH host key ssh-ed25519 SHA256:")]) == 2


@needs_root
def test_existing_ones_can_be_kept(tmp_path: Any) -> None:
    system = StandIn(tmp_path, kinds=("rsa", "ecdsa", "ed25519"))
    put(
        system,
        {
            "ssh_host_rsa_key": "old",
            "ssh_host_rsa_key.pub": "old",
            "ssh_host_rsa_key-cert.pub": "old",
            "ssh_host_dsa_key": "old",
            "ssh_host_ed25519_key": "",
            "ssh_host_ed25519_key-cert.pub": "old",
        },
    )
    assert apply(system, keep=True).message == "2 SSH host keys made, 2 kept"
    assert keys(system) == {
        "ssh_host_rsa_key": "old",
        "ssh_host_rsa_key.pub": "old",
        "ssh_host_rsa_key-cert.pub": "old",
        "ssh_host_dsa_key": "old",
        "ssh_host_ecdsa_key": "new",
        "ssh_host_ecdsa_key.pub": "new",
        "ssh_host_ed25519_key": "new",
        "ssh_host_ed25519_key.pub": "new",
    }
    before = keys(system)
    assert (
        apply(system, keep=True).message == "0 SSH host keys made, 4 kept"
        and keys(system) == before
    )


@needs_root
def test_what_a_crash_left_is_no_trap(tmp_path: Any) -> None:
    system = StandIn(tmp_path, kinds=("rsa",))
    put(
        system,
        {
            ".lightinit-new/etc/ssh/ssh_host_rsa_key": "half",
            ".lightinit-new/etc/ssh/ssh_host_x_key": "half",
        },
    )
    assert apply(system).message == "1 SSH host keys made"
    assert keys(system) == {"ssh_host_rsa_key": "new", "ssh_host_rsa_key.pub": "new"}


@needs_root
def test_when_none_can_be_made_the_old_ones_stay(tmp_path: Any) -> None:
    system = StandIn(tmp_path, kinds=())
    put(system, {"ssh_host_rsa_key": "old"})
    with pytest.raises(ProvisioningError, match="ssh host keys could not be made") as caught:
        apply(system)
    assert caught.value.details["said"] == "no more types"
    assert system.read("/etc/ssh/ssh_host_rsa_key") == b"old"


@needs_root
@pytest.mark.parametrize(
    "kinds, alone, made",
    [
        (("ecdsa", "ed25519"), (), ["ecdsa", "ed25519"]),
        ((), ("ed25519", "ecdsa"), ["ed25519"]),
        ((), ("ecdsa",), ["ecdsa"]),
        ((), (), []),
    ],
)
def test_a_type_that_takes_too_long_costs_no_other(
    tmp_path: Any, kinds: Sequence[str], alone: Sequence[str], made: List[str]
) -> None:
    """A starved machine made no RSA key in four minutes: the image's keys stayed, and all VMs of
    the image would have had them.
    """
    system = StandIn(tmp_path, kinds=kinds, alone=alone)
    put(system, {"ssh_host_rsa_key": "old", "ssh_host_ed25519_key": "old"})
    if not made:
        with pytest.raises(ProvisioningError, match="made.*took too long"):
            apply(system)
        assert system.read("/etc/ssh/ssh_host_rsa_key") == b"old"
        return
    outcome = apply(system)
    assert outcome.message == "%d SSH host keys made" % len(made)
    assert len(outcome.warnings) == 1
    assert "ssh-keygen made only ssh_host_%s_key" % made[0] in outcome.warnings[0]
    assert "command took too long" in outcome.warnings[0]
    names = ["ssh_host_%s_key%s" % (kind, end) for kind in made for end in ("", ".pub")]
    assert keys(system) == dict.fromkeys(names, "new")


@needs_root
@pytest.mark.parametrize(
    "group, mode, gid, after",
    [
        ("ssh_keys:x:990:\n", 0o640, 990, (0o640, 990)),
        ("ssh_keys:x:990:\n", 0o600, 0, (0o600, 0)),
        ("ssh_keys:x:990:\n", 0o660, 990, (0o600, 0)),
        ("staff:x:990:\n", 0o640, 990, (0o600, 0)),
    ],
)
def test_the_group_of_ssh_keysign_keeps_its_access(
    tmp_path: Any, group: str, mode: int, gid: int, after: Any
) -> None:
    system = StandIn(tmp_path)
    put(system, {"../group": group, "ssh_host_rsa_key": "old"}, mode)
    os.chown(system.root + "/etc/ssh/ssh_host_rsa_key", 0, gid)
    apply(system)
    status = os.stat(system.root + "/etc/ssh/ssh_host_ed25519_key")
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == after


@needs_root
@pytest.mark.parametrize("mode, after", [(0o2755, (0o640, 990)), (0o755, (0o600, 0))])
def test_where_there_are_no_keys_ssh_keysign_tells(tmp_path: Any, mode: int, after: Any) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {
            "../group": "ssh_keys:x:990:\n",
            "../../usr/libexec/openssh/ssh-keysign": "",
            "sshd_config": "",
        },
    )
    path = system.root + "/usr/libexec/openssh/ssh-keysign"
    os.chown(path, 0, 990)
    os.chmod(path, mode)
    apply(system)
    status = os.stat(system.root + "/etc/ssh/ssh_host_ed25519_key")
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == after


@needs_root
def test_keys_that_only_the_configuration_names(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {
            "sshd_config": "Include sshd_config.d/*.conf\nHostKey /etc/ssh/ssh_host_rsa_key\n"
            "HostKey /etc/ssh/ssh_host_ed25519_key.pub\nHostKey /etc/keys/mine\n",
            "sshd_config.d/10.conf": "HostKey /etc/ssh/ssh_host_dsa_key\n",
            "../keys/mine": "mine",
            "ssh_host_ecdsa_key": "old",
        },
    )
    assert apply(system).warnings == (
        "/etc/ssh/sshd_config names host keys that lightinit does not make: "
        "/etc/ssh/ssh_host_dsa_key (missing), /etc/keys/mine (not made anew)",
    )


@needs_root
@pytest.mark.parametrize(
    "named", ["/etc/ssh/ssh_host_web_key", "/etc/ssh/ssh_host_web_key.pub", "/etc/link"]
)
def test_a_key_that_is_used_and_not_made_anew_stays(tmp_path: Any, named: str) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {
            "sshd_config": "HostKey %s\n" % named,
            "ssh_host_rsa_key": "old",
            "ssh_host_rsa_key.pub": "old",
            "ssh_host_web_key": "old",
            "ssh_host_web_key.pub": "old",
            "ssh_host_web_key-cert.pub": "old",
            "ssh_host_dsa_key": "old",
            "ssh_host_dsa_key.pub": "old",
        },
    )
    os.symlink("ssh/ssh_host_web_key", system.root + "/etc/link")
    outcome = apply(system)
    assert outcome == Outcome(
        "2 SSH host keys made, 1 kept",
        (
            "/etc/ssh/sshd_config names host keys that lightinit does not make: %s (not made anew)"
            % named,
        ),
    )
    assert keys(system) == {
        "ssh_host_ed25519_key": "new",
        "ssh_host_ed25519_key.pub": "new",
        "ssh_host_rsa_key": "new",
        "ssh_host_rsa_key.pub": "new",
        "ssh_host_web_key": "old",
        "ssh_host_web_key.pub": "old",
        "ssh_host_web_key-cert.pub": "old",
        "sshd_config": "HostKey",
    }
    assert apply(system) == outcome


@needs_root
def test_a_sshd_that_is_left_without_any_host_key_is_an_error(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {
            "sshd_config": "HostKey /etc/keys/a\nHostKey /etc/ssh/ssh_host_web_key\n",
            "ssh_host_web_key": "",
            "ssh_host_rsa_key": "old",
        },
    )
    with pytest.raises(ProvisioningError) as caught:
        apply(system)
    assert caught.value.reason == "sshd has no host key"
    assert caught.value.details["files"] == "/etc/keys/a /etc/ssh/ssh_host_web_key"
    assert sorted(keys(system)) == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
        "ssh_host_rsa_key",
        "ssh_host_rsa_key.pub",
        "sshd_config",
    ], "the work is done all the same"
    put(system, {"../keys/a": "x"})
    assert apply(system).message == "2 SSH host keys made"


@needs_root
def test_what_a_relative_path_leads_to_is_sshds_matter(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    put(system, {"sshd_config": "HostKey keys/a\n"})
    assert apply(system) == Outcome("2 SSH host keys made", ())


@needs_root
def test_a_process_id_that_is_no_longer_sshds_is_let_alone(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    put(
        system,
        {"../../run/sshd.pid": "%d\n" % os.getpid(), "../../proc/%d/comm" % os.getpid(): "bash\n"},
    )
    apply(system)  # a SIGHUP would end this process
    assert "/usr/bin/sshd -t" not in system.runs


@needs_root
def test_what_an_earlier_cloud_config_ordered_goes(tmp_path: Any) -> None:
    """The image's first instance had one; without it, sshd has its default keys again."""
    system = StandIn(tmp_path)
    config = "Include /etc/ssh/sshd_config.d/*.conf\n"
    drop_in = "sshd_config.d/01-lightinit-host-keys.conf"
    put(system, {"sshd_config": config, drop_in: "HostKey /etc/ssh/ssh_host_rsa_key\n"})
    assert apply(system) == Outcome("2 SSH host keys made", ())
    assert not system.exists("/etc/ssh/" + drop_in)
    assert system.read_text("/etc/ssh/sshd_config") == config
