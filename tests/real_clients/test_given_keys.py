"""Host keys from a cloud-config in real boots of a live root: sshd serves exactly those."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from tests.lib.needs_yaml import needs_yaml
from tests.lib.netns import Namespace, wait_until
from tests.lib.scratch import UUID
from tests.real_clients.azure_side import BOOT, ENV, Azure, boot, start_dhcp

pytestmark = needs_yaml
SSHD = "UsePAM no\nPidFile none\nInclude /etc/ssh/sshd_config.d/*.conf\n"
TYPES = ("rsa", "ecdsa", "ed25519")


def make_key(folder: Path, kind: str) -> Dict[str, str]:
    """A key of a type: the names of ``ssh_keys`` with their texts."""
    path = folder / kind
    make = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "given", "-f", str(path)]
    subprocess.run(make, check=True)
    private, public = path.read_text(), path.with_suffix(".pub").read_text()
    return {kind + "_private": private, kind + "_public": public}


def write_config(keys: Dict[str, str], *lines: str) -> str:
    """A #cloud-config, as IMDS gives user data."""
    text = ["#cloud-config", *lines, "ssh_keys:"]
    for name, value in keys.items():
        text.append("  %s: |" % name)
        text += ["    " + line for line in value.strip().split("\n")]
    return base64.b64encode("\n".join([*text, ""]).encode()).decode()


def scan(vm: Namespace, address: str = "127.0.0.1") -> List[str]:
    """The keys that sshd serves, each as type and base64."""
    said = vm.run("ssh-keyscan", "-T", "60", "-t", ",".join(TYPES), address)
    return sorted(" ".join(line.split()[1:3]) for line in said.split("\n") if line)


def start_sshd(azure: Azure, vm: Namespace) -> None:
    vm.run("mkdir", "-p", "/run/sshd")
    vm.run("ip", "link", "set", "lo", "up")
    log = azure.folder / "sshd.log"
    vm.start("/usr/sbin/sshd", "-D", "-e", log=log)
    wait_until(lambda: "Server listening" in log.read_text(), 60, "sshd does not listen")


def state(vm: Namespace) -> str:
    return vm.run(
        "sh", "-c", "cd /etc/ssh; ls -il --time-style=full-iso ssh_host_*; sha256sum *_key"
    )


def test_sshd_serves_the_given_keys_and_no_other(azure: Azure, vm: Namespace) -> None:
    given = make_key(azure.folder, "ed25519")
    # The RSA key has a passphrase, so the host has its own; ECDSA is not asked for.
    locked = azure.folder / "locked"
    make = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "secret", "-f", str(locked)]
    subprocess.run(make, check=True)
    keys = {**given, "rsa_private": locked.read_text()}
    azure.start(userData=write_config(keys, "ssh_genkeytypes: [ecdsa]"))
    vm.write("/etc/ssh/sshd_config", SSHD)
    vm.run("sh", "-c", "rm -f /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; rm -f /etc/ssh/*.d/*")
    image = vm.run("sh", "-c", "cut -d' ' -f2 /etc/ssh/ssh_host_*.pub").split()
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "exit status" not in said, said
    assert "<State>Ready</State>" in azure.posts()[-1]["body"].replace("\n", "")
    assert "rsa_private: it has a passphrase" in said
    start_sshd(azure, vm)
    served = scan(vm)
    kinds = [each.split()[0] for each in served]
    assert kinds == ["ssh-ed25519", "ssh-rsa"], served
    assert served[0] == " ".join(given["ed25519_public"].split()[:2])
    assert not set(" ".join(served).split()) & set(image)

    # No part of the private key is anywhere but in its file and in what was given.
    secret = given["ed25519_private"].split("\n")[2]
    there = vm.run("sh", "-c", "grep -rlF '%s' /etc /run /var/lib/lightinit /var/log || :" % secret)
    kept = "/var/lib/lightinit/instances/%s/user-data" % UUID
    assert there.split() == ["/etc/ssh/ssh_host_ed25519_key", kept] and secret not in said
    assert vm.run("stat", "-c", "%a %U", kept) == "600 root\n"
    assert secret not in azure.log.read_text()

    # A second boot does nothing.
    before = state(vm)
    assert "nothing to do" in boot(vm)
    assert state(vm) == before and scan(vm) == served


@pytest.mark.long
def test_types_to_make_and_a_certificate(azure: Azure, vm: Namespace) -> None:
    """The first boot hears nothing of the platform, and makes all types. The next one, which has
    the cloud-config, puts that right.
    """
    keys = make_key(azure.folder, "ecdsa")
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(azure.folder / "ca")], check=True
    )
    sign = ["ssh-keygen", "-q", "-s", "ca", "-I", "x", "-h", "-n", "web-1", "ecdsa.pub"]
    subprocess.run(sign, check=True, cwd=str(azure.folder))
    keys["ecdsa_certificate"] = (azure.folder / "ecdsa-cert.pub").read_text()
    azure.start(userData=write_config(keys))
    vm.write("/etc/ssh/sshd_config", SSHD)
    vm.run("sh", "-c", "rm -f /etc/ssh/ssh_host_* /etc/ssh/sshd_config.d/*")
    short = "/etc/lightinit/conf.d/20-short.conf"
    vm.write(short, "[network]\nlease_timeout_s = 2\n[azure]\nreport_timeout_s = 2\n")
    process = vm.start(*BOOT, log=azure.folder / "boot.log", env=ENV)
    assert process.wait(300) != 0
    assert len(vm.run("sh", "-c", "ls /etc/ssh/ssh_host_*_key").split()) == 3
    vm.run("rm", short)
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "exit status" not in said, said
    start_sshd(azure, vm)
    assert scan(vm) == [" ".join(keys["ecdsa_public"].split()[:2])]
    # Whoever trusts the certificate authority knows the host.
    (azure.folder / "known").write_text(
        "@cert-authority * " + (azure.folder / "ca.pub").read_text()
    )
    options = ["StrictHostKeyChecking=yes", "BatchMode=yes", "HostKeyAlias=web-1"]
    options += ["UserKnownHostsFile=" + str(azure.folder / "known"), "GlobalKnownHostsFile=none"]
    words = [word for each in options for word in ("-o", each)]
    address = vm.run("sh", "-c", "ip -4 -o address show eth0").split()[3].split("/")[0]
    login = ("ssh", "-i", str(azure.key), *words, "alice@" + address, "id -un")
    assert azure.machine.run(*login) == "alice\n"
