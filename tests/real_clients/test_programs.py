"""The programs that a first boot of a live root starts, as strace sees them: none is asked the same
question twice.
"""

from __future__ import annotations

import collections
import re
from typing import List, Tuple

from tests.lib.netns import Namespace, need
from tests.real_clients.azure_side import BOOT, ENV, Azure, start_dhcp

# Another process may have started meanwhile: the result is on a line of its own then.
EXECVE = re.compile(r'execve\("(/[^"]+)", \[(.*?)\], .*(?:\) = 0| <unfinished \.\.\.>)$')


def programs_of(trace: str) -> List[Tuple[str, str]]:
    """(name, arguments) of each program that was started, in order."""
    found = [EXECVE.search(line) for line in trace.splitlines()]
    return [(each.group(1).rpartition("/")[2], each.group(2)) for each in found if each]


def test_no_program_is_asked_twice(azure: Azure, vm: Namespace) -> None:
    """sshd: which configuration is in force before and after lightinit's lines, and whether the
    candidate has faults. /run/sshd is missing, as it is before sshd's own unit has started.
    """
    need("strace", "sshd", "sudo", "visudo", "useradd")
    azure.start()
    start_dhcp(azure, vm)
    # Otherwise dhclient is started again, and its script starts programs of its own.
    vm.write("/etc/lightinit/conf.d/20-test.conf", "[module.hostname]\nrenew_lease = no\n")
    vm.run(
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-e",
        "trace=execve",
        "-s",
        "4096",
        "-o",
        "/run/trace",
        *BOOT,
        env=ENV,
        timeout_s=300.0,
    )
    assert [post["status"] for post in azure.posts()] == [200]
    started = programs_of(vm.run("cat", "/run/trace"))[2:]
    names = collections.Counter(name for name, _ in started)
    wanted = {"sshd": 3, "ssh-keygen": 3, "useradd": 1, "visudo": 1, "sudo": 1}
    assert {name: names[name] for name in wanted} == wanted, started
    questions = [arguments.split('"')[3] for name, arguments in started if name == "sshd"]
    assert questions == ["-T", "-t", "-T"]
    again = {each for each, count in collections.Counter(started).items() if count > 1}
    assert [name for name, _ in again] == ["sshd"], "the configuration has changed in between"
    log = vm.run("cat", "/var/lib/lightinit/instance/sem/module.ssh_password_login")
    assert "password login off: put into" in log
