"""The module ssh_host_keys and dropbear, on a stand-in for a live machine; the real dropbearkey and
dropbear are in tests/real_tools.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, List, Optional, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.model import Instance, Outcome
from lightinit.modules import ssh_host_keys
from tests.lib.stand_in import LiveRoot

PUBLIC = (
    "Public key portion is:\nssh-ed25519"
    " AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB root@vm\n"
    "Fingerprint: md5 xx\n"
)
USUAL = "/etc/dropbear/dropbear_%s_host_key"
HEAD = {"ed25519": b"ssh-ed25519", "rsa": b"ssh-rsa", "ecdsa": b"ecdsa-sha2-nistp256"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")


class DropbearHost(LiveRoot):
    """Its dropbearkey makes keys of some types.

    Args:
        root: the directory.
        kinds: what dropbearkey can make.
        tools: the programs that are installed.
    """

    def __init__(
        self,
        root: Any,
        kinds: Sequence[str] = ("rsa", "ecdsa", "ed25519"),
        tools: Sequence[str] = ("dropbear", "dropbearkey"),
    ) -> None:
        super().__init__(root)
        self.kinds, self.tools = kinds, tools
        for tool in tools:
            self.put("/usr/bin/" + tool, "")

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        words = list(argv)
        if words[:2] == ["/usr/bin/dropbearmulti", "dropbearkey"]:
            words[:2] = ["/usr/bin/dropbearkey"]
        assert words[0] == "/usr/bin/dropbearkey", words
        if words[1:3] == ["-y", "-f"]:
            return Completed(0, PUBLIC, "")
        assert words[1] == "-t" and words[3] == "-f" and not os.path.exists(words[4])
        if words[2] not in self.kinds:
            return Completed(1, "", "Unknown key type '%s'" % words[2])
        head = HEAD[words[2]]
        with open(words[4], "wb") as handle:
            handle.write(len(head).to_bytes(4, "big") + head + b"new")
        return Completed(0, PUBLIC, "")

    def put(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.root + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="latin-1") as handle:
            handle.write(text)
        os.chmod(path, 0o755)

    def kinds_at(self, folder: str) -> Dict[str, str]:
        """The type of the key in each file of a folder, with what follows it."""
        found = {}
        for name in sorted(os.listdir(self.root + folder)):
            with open("%s%s/%s" % (self.root, folder, name), encoding="latin-1") as handle:
                found[name] = handle.read()[4:]
        return found


def apply(system: DropbearHost, keep: bool = False) -> Outcome:
    return ssh_host_keys.apply(Instance("id"), system, {"keep_existing": keep})


@needs_root
def test_each_vm_has_its_own(tmp_path: Any, caplog: Any) -> None:
    """Also the weak type, which dropbearkey makes no more, must not stay that of the image."""
    caplog.set_level(logging.INFO)
    system = DropbearHost(tmp_path)
    for kind in ("rsa", "dss"):
        system.put(USUAL % kind, "oldx")
    system.put(USUAL % "rsa" + ".pub", "old")
    outcome = apply(system)
    assert outcome == Outcome("3 host keys of dropbear made")
    assert system.kinds_at("/etc/dropbear") == {
        "dropbear_ecdsa_host_key": "ecdsa-sha2-nistp256new",
        "dropbear_ed25519_host_key": "ssh-ed25519new",
        "dropbear_rsa_host_key": "ssh-rsanew",
    }
    assert os.stat(system.root + USUAL % "rsa").st_mode & 0o777 == 0o600
    assert "SSH host key ssh-ed25519 SHA256:" in caplog.text


@needs_root
@pytest.mark.parametrize(
    "files, named",
    [
        ({"/etc/default/dropbear": "DROPBEAR_EXTRA_ARGS='-r /etc/keys/mine'\n"}, "/etc/keys/mine"),
        ({"/etc/conf.d/dropbear": 'DROPBEAR_OPTS="-r/etc/keys/mine -s"\n'}, "/etc/keys/mine"),
        (
            {"/etc/sv/dropbear/run": "#!/bin/sh\nexec dropbear -F -r /etc/keys/mine 2>&1\n"},
            "/etc/keys/mine",
        ),
        (
            {"/etc/config/dropbear": "config dropbear\n\toption keyfile '/etc/keys/mine'\n"},
            "/etc/keys/mine",
        ),
    ],
)
def test_keys_are_made_where_they_are_asked_for(
    tmp_path: Any, files: Dict[str, str], named: str
) -> None:
    system = DropbearHost(tmp_path)
    script = "#!/bin/sh\n[ -r x ] && . x\ndropbear -F $DROPBEAR_EXTRA_ARGS $DROPBEAR_OPTS\n"
    system.put("/etc/init.d/dropbear", script)
    for path, text in files.items():
        system.put(path, text)
    assert apply(system).message == "1 host keys of dropbear made"
    assert system.kinds_at("/etc/keys") == {"mine": "ssh-ed25519new"}
    assert not system.exists(USUAL % "rsa")


@needs_root
def test_a_type_that_this_version_does_not_know(tmp_path: Any) -> None:
    """The image's key of that type goes: dropbear would go on with it."""
    system = DropbearHost(tmp_path, kinds=("rsa",), tools=("dropbear", "dropbearmulti"))
    system.put(USUAL % "ecdsa", "oldx")
    assert apply(system) == Outcome("1 host keys of dropbear made")
    assert list(system.kinds_at("/etc/dropbear")) == ["dropbear_rsa_host_key"]


@needs_root
def test_no_key_can_be_made(tmp_path: Any) -> None:
    """It costs the VM only if nobody could log in without them."""
    system = DropbearHost(tmp_path, kinds=())
    with pytest.raises(ProvisioningError, match="ssh host keys could not be made") as caught:
        apply(system)
    assert "Unknown key type" in str(caught.value)
    system.put(USUAL % "rsa", "oldx")
    first, second = apply(system).warnings
    assert first.startswith("no host keys of dropbear could be made: ed25519: Unknown key type")
    assert second.startswith("the host keys of dropbear are those of the image (")
    assert list(system.kinds_at("/etc/dropbear")) == ["dropbear_rsa_host_key"]
    os.unlink(system.root + USUAL % "rsa")
    system.put("/etc/init.d/S50dropbear", "#!/bin/sh\ndropbear -R\n")
    assert len(apply(system).warnings) == 1
    # A folder that cannot be made, as on a read-only file system.
    os.rmdir(system.root + "/etc/dropbear")
    system.put("/etc/dropbear", "a file")
    (warning,) = apply(DropbearHost(tmp_path)).warnings
    assert "no host keys of dropbear could be made" in warning


@needs_root
def test_buildroots_link_to_what_a_restart_empties(tmp_path: Any) -> None:
    system = DropbearHost(tmp_path)
    os.makedirs(system.root + "/etc")
    os.symlink("/var/run/dropbear", system.root + "/etc/dropbear")
    assert apply(system) == Outcome("3 host keys of dropbear made")
    assert not os.path.islink(system.root + "/etc/dropbear")
    assert len(system.kinds_at("/etc/dropbear")) == 3


@needs_root
def test_without_dropbearkey(tmp_path: Any) -> None:
    """With -R dropbear makes a key itself, if there is none."""
    system = DropbearHost(tmp_path, tools=("dropbear",))
    system.put(USUAL % "rsa", "oldx")
    (warning,) = apply(system).warnings
    assert "are those of the image (%s)" % (USUAL % "rsa") in warning
    assert system.exists(USUAL % "rsa")
    system.put("/etc/init.d/S50dropbear", '#!/bin/sh\nDROPBEAR_ARGS="$DROPBEAR_ARGS -R"\n')
    assert not apply(system, keep=True).message.startswith("1 host keys")
    assert apply(system).message == "1 host keys of dropbear removed: it makes new ones (-R)"
    assert not system.exists(USUAL % "rsa")


@needs_root
def test_keys_that_are_to_stay(tmp_path: Any) -> None:
    system = DropbearHost(tmp_path)
    system.put(USUAL % "rsa", "oldx")
    assert apply(system, keep=True).message == "2 host keys of dropbear made, 1 kept"
    assert system.kinds_at("/etc/dropbear")["dropbear_rsa_host_key"] == ""


def test_the_program_alone_is_for_an_initramfs(tmp_path: Any) -> None:
    system = DropbearHost(tmp_path, tools=("sshd", "dropbear", "dropbearkey"))
    with pytest.raises(ProvisioningError, match="ssh-keygen is missing"):
        apply(system)
    assert not system.exists("/etc/dropbear")


@needs_root
def test_a_running_dropbear_is_told_of(tmp_path: Any) -> None:
    system = DropbearHost(tmp_path)
    system.put("/run/dropbear.pid", "77\n")
    system.put("/proc/77/comm", "dropbear\n")
    warnings: List[str] = list(apply(system).warnings)
    assert warnings == ["dropbear uses the old host keys until it is restarted"]
