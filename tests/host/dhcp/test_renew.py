"""Which DHCP clients run and what is run for them, on scratch roots with a /proc of their own; no
command is really run.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.renew import LIMIT_S, Renewal, renew_leases
from lightinit.host.system import Completed, System
from tests.lib.scratch import ScriptedClock

TOOLS = ("nmcli", "dhclient", "dhcpcd", "udhcpc", "systemctl", "systemd-run")
LEASES = "/var/lib/dhcp/dhclient.eth0.leases"
SENDS = "send host-name = gethostname();\n"


class Machine(System):
    """A scratch root on which commands seem to run: they are noted, and answered from a list.

    Args:
        root: an empty directory.
        answers: what commands print, by a word in their command line; an error is raised.
        tools: the commands that there are.
    """

    def __init__(
        self, root: Any, answers: Optional[Dict[str, Any]] = None, tools: Sequence[str] = TOOLS
    ) -> None:
        super().__init__(root, ScriptedClock())
        self.answers = answers or {}
        self.tools = tools
        self.ran: List[List[str]] = []
        self.limits_s: List[float] = []
        self.killed: List[Tuple[int, int]] = []
        self.seen: Dict[str, bytes] = {}

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/" + name if name in self.tools else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.ran.append(list(argv))
        self.limits_s.append(timeout_s)
        for before, path in zip(argv, argv[1:]):
            if before == "-lf":
                self.seen[path] = self.read(path)
        for word, answer in self.answers.items():
            if word in argv:
                if isinstance(answer, Exception):
                    self.clock.sleep(timeout_s)
                    raise answer
                return Completed(0, answer, "")
        return Completed(0, "", "")

    def put(self, path: str, text: str = "") -> None:
        full = self.root + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as handle:
            handle.write(text)

    def process(self, pid: int, comm: str, command: str, namespace: str = "") -> None:
        """A process; with a ``namespace`` in that one."""
        self.put("/proc/%d/comm" % pid, comm + "\n")
        self.put("/proc/%d/cmdline" % pid, command.replace(" ", "\0") + "\0")
        if namespace:
            self.enter(str(pid), namespace)

    def enter(self, entry: str, namespace: str) -> None:
        os.makedirs("%s/proc/%s/ns" % (self.root, entry), exist_ok=True)
        os.symlink("net:[%s]" % namespace, "%s/proc/%s/ns/net" % (self.root, entry))

    def renew(self, name: str = "web-1") -> Renewal:
        return renew_leases(self, name, kill=lambda pid, number: self.killed.append((pid, number)))


def dhclient(
    root: Any,
    command: str = "dhclient -4 -v -pf /run/dhclient.eth0.pid -lf %s eth0" % LEASES,
    configuration: str = SENDS,
    **named: Any,
) -> Machine:
    machine = Machine(root, **named)
    machine.process(700, "dhclient", command)
    machine.put("/etc/dhcp/dhclient.conf", configuration)
    machine.put(LEASES, "lease {}\n")
    return machine


def test_no_client_nothing_done(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.process(1, "init", "/sbin/init")
    machine.process(2, "busybox", "busybox syslogd -n")
    assert machine.renew() == Renewal() and machine.ran == []


def test_a_machine_without_proc(tmp_path: Any) -> None:
    assert Machine(tmp_path).renew() == Renewal()


# -- which processes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, its, runs", [("1", "1", True), ("1", "2", False), ("1", "", True), ("", "2", True)]
)
def test_a_containers_client_is_not_ours(tmp_path: Any, ours: str, its: str, runs: bool) -> None:
    machine = dhclient(tmp_path)
    if ours:
        machine.enter("self", ours)
    if its:
        machine.enter("700", its)
    machine.renew()
    assert bool(machine.ran) is runs


def test_a_users_process_of_that_name_is_not_believed(tmp_path: Any) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    machine = dhclient(tmp_path, "dhclient -cf /home/eve/conf eth0")
    os.chown(machine.root + "/proc/700", 1000, 1000)
    assert machine.renew() == Renewal() and machine.ran == []


def test_a_process_that_has_ended_has_no_command_line(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.put("/proc/700/cmdline")
    assert machine.renew() == Renewal() and machine.ran == []


# -- dhclient
# --------------------------------------------------------------------------------------------------


def test_a_second_dhclient_with_the_arguments_of_the_first(tmp_path: Any) -> None:
    machine = dhclient(
        tmp_path,
        "dhclient -4 -d -v -i -e A=b -sf /s -pf /run/x.pid -lf %s -I -df /var/six eth0" % LEASES,
    )
    copy = "/run/dhclient-lightinit-700.lease"
    assert machine.renew() == Renewal(("dhclient on eth0 sent it to the DHCP server",))
    assert machine.ran == [
        [
            "/usr/bin/dhclient",
            "-1",
            "-4",
            "-i",
            "-e",
            "A=b",
            "-I",
            "-df",
            "/var/six",
            "-sf",
            "/bin/true",
            "-lf",
            copy,
            "-pf",
            "/run/dhclient-lightinit-700.pid",
            "eth0",
        ]
    ]
    assert machine.seen == {copy: b"lease {}\n"}
    assert not machine.exists(copy) and machine.exists(LEASES)
    assert machine.killed == []


def test_the_second_dhclient_is_killed_and_the_first_is_not(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.process(701, "dhclient", "dhclient -1 -lf /run/dhclient-lightinit-700.lease eth0")
    machine.renew()
    assert machine.killed[0] == (701, signal.SIGKILL) and 700 not in dict(machine.killed)


def test_a_second_dhclient_that_has_just_ended_is_no_failure(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.process(701, "dhclient", "dhclient -1 -lf /run/dhclient-lightinit-700.lease eth0")

    def kill(_pid: int, _number: int) -> None:
        raise ProcessLookupError

    assert (
        renew_leases(machine, "web-1", kill=kill).told[0]
        == "dhclient on eth0 sent it to the DHCP server"
    )
    assert machine.list_dir("/run") == []


def test_with_systemd_it_is_a_unit_of_its_own(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    machine.renew()
    (argv,) = machine.ran
    assert argv[:4] == ["/usr/bin/systemd-run", "--quiet", "--collect", "--service-type=oneshot"]
    assert (
        "--property=KillSignal=SIGKILL" in argv
        and "--property=TimeoutStartSec=%.1f" % LIMIT_S in argv
    )
    assert argv[argv.index("--") + 1] == "/usr/bin/dhclient"


@pytest.mark.parametrize(
    "command",
    [
        "dhclient -6 eth0",
        "dhclient -r eth0",
        "dhclient -x eth0",
        "dhclient -d -sf /usr/lib/NetworkManager/nm-dhcp-helper eth0",
    ],
)
def test_a_dhclient_that_is_not_to_be_renewed(tmp_path: Any, command: str) -> None:
    machine = dhclient(tmp_path, command)
    assert machine.renew() == Renewal() and machine.ran == []


@pytest.mark.parametrize(
    "configuration, says",
    [
        (SENDS, ""),
        ('send host-name "web-1";', ""),
        ("send fqdn.fqdn = gethostname();", ""),
        ('send host-name = concat(gethostname(), ".x");', ""),
        ('interface "eth0" {\n  send host-name = gethostname();\n}\n', ""),
        ("", "sends no host name"),
        ("#" + SENDS, "sends no host name"),
        ("request host-name;", "sends no host name"),
        ('send host-name "old";', "sends the name old"),
        ('send host-name = "old";', "sends the name old"),
    ],
)
def test_what_dhclients_configuration_sends(tmp_path: Any, configuration: str, says: str) -> None:
    machine = dhclient(tmp_path, configuration=configuration)
    renewal = machine.renew()
    assert renewal.warnings == () and bool(machine.ran) is not bool(says)
    assert (says or "sent it to the DHCP server") in renewal.told[0]


def test_a_configuration_of_its_own(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, "dhclient -cf /etc/own.conf -lf %s eth0" % LEASES)
    machine.put("/etc/own.conf", 'send host-name "own";')
    assert machine.renew().told == ("dhclient on eth0 sends the name own, as /etc/own.conf says",)


@pytest.mark.parametrize("option", ["-H", "-F"])
def test_a_name_among_dhclients_arguments(tmp_path: Any, option: str) -> None:
    machine = dhclient(tmp_path, "dhclient %s old -lf %s eth0" % (option, LEASES), "")
    (warning,) = machine.renew().warnings
    assert warning.startswith("dhclient on eth0 was started with the host name old")
    assert machine.ran[0][machine.ran[0].index(option) + 1] == "web-1"


@pytest.mark.parametrize(
    "named", [{"answers": {"-1": ProvisioningError("command failed")}}, {"tools": ()}]
)
def test_a_failure_is_a_warning_and_leaves_nothing(tmp_path: Any, named: Any) -> None:
    machine = dhclient(tmp_path, **named)
    renewal = machine.renew()
    assert renewal.told == () and "may keep the old one until the next boot" in renewal.warnings[0]
    assert machine.list_dir("/run") == []


def test_a_lease_file_that_is_missing_is_a_warning(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, "dhclient eth0")
    assert len(machine.renew().warnings) == 1 and machine.ran == []


def test_all_together_have_a_limit(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, answers={"-1": ProvisioningError("command took too long")})
    machine.process(800, "dhclient", "dhclient -lf %s eth1" % LEASES)
    assert len(machine.renew().warnings) == 2
    assert machine.limits_s[0] == LIMIT_S and sum(machine.limits_s) <= LIMIT_S + 3


# -- udhcpc
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command, expected",
    [
        ("udhcpc -b -R -p /run/u.pid -i eth1 -x hostname:old", "-i eth1 -x hostname:web-1"),
        ("/bin/busybox udhcpc -i eth1 -C -x hostname:old", "-i eth1 -C -x hostname:web-1"),
        (
            "udhcpc -fSRi eth1 -a500 -xhostname:old -O 245 -O121 -t 9 -T3 -A 5 -r 10.0.0.9",
            "-i eth1 -x hostname:web-1 -O 245 -O 121",
        ),
        (
            "udhcpc --interface=eth1 --script /s --fqdn old --foreground --vendorclass=v",
            "-i eth1 -F web-1 -V v",
        ),
        ("udhcpc -i eth1 -x 61:aa -H old", "-i eth1 -x 61:aa -x hostname:web-1"),
    ],
)
def test_a_second_udhcpc(tmp_path: Any, command: str, expected: str) -> None:
    machine = Machine(tmp_path)
    machine.process(700, command.split()[0].rpartition("/")[2], command)
    renewal = machine.renew()
    assert renewal.told == ("udhcpc on eth1 sent it to the DHCP server",)
    assert "was started with the host name old" in renewal.warnings[0]
    assert (
        " ".join(machine.ran[0]) == "/usr/bin/udhcpc %s -f -q -n -t 3 -T 1 -s /bin/true" % expected
    )


def test_udhcpc_that_sends_no_name_or_the_right_one(tmp_path: Any) -> None:
    machine = Machine(tmp_path, tools=("busybox",))
    machine.process(700, "udhcpc", "udhcpc -b")
    machine.process(701, "udhcpc", "udhcpc -i eth1 -x hostname:web-1")
    assert machine.renew() == Renewal(
        (
            "udhcpc on eth0 sends no host name, as its arguments say",
            "udhcpc on eth1 sent it to the DHCP server",
        )
    )
    assert machine.ran[0][:2] == ["/usr/bin/busybox", "udhcpc"]


# -- dhcpcd
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/run/dhcpcd/pid", "-N"),
        ("/run/dhcpcd.pid", "-N"),
        ("/run/dhcpcd/eth0.pid", "-N eth0"),
        ("/run/dhcpcd/eth0-4.pid", "-4 -N eth0"),
        ("/run/dhcpcd-eth0.pid", "-N eth0"),
        ("/run/dhcpcd-eth0-4.pid", "-4 -N eth0"),
        ("/run/dhcpcd/eth0-6.pid", None),
    ],
)
def test_dhcpcd_is_called_as_its_pid_file_says(
    tmp_path: Any, path: str, expected: Optional[str]
) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: eth0 [ip4]")
    machine.put(path, "700\n")
    machine.put("/etc/dhcpcd.conf", "hostname\n")
    machine.renew()
    assert machine.ran == ([["/usr/bin/dhcpcd"] + expected.split()] if expected else [])


@pytest.mark.parametrize("text", ["701\n", "", "x\n", "-1\n"])
def test_dhcpcd_is_not_called_without_a_process_since_it_would_become_one(
    tmp_path: Any, text: str
) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: eth0 [ip4]")
    machine.put("/run/dhcpcd/eth0.pid", text)
    assert machine.renew() == Renewal() and machine.ran == []


@pytest.mark.parametrize(
    "text, says",
    [
        ("hostname\n", "was asked to send it"),
        ("hostname web-1\n", "was asked to send it"),
        ("hostname # live\n", "was asked to send it"),
        ("", "sends none"),
        ("#hostname\nhostname_short\n", "sends none"),
        ("hostname\nhostname fixed\n", "sends the name fixed"),
    ],
)
def test_what_dhcpcds_configuration_sends(tmp_path: Any, text: str, says: str) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: [manager]")
    machine.put("/run/dhcpcd/pid", "700\n")
    machine.put("/etc/dhcpcd.conf", text)
    renewal = machine.renew()
    assert says in renewal.told[0] and renewal.warnings == ()


# -- systemd-networkd and NetworkManager
# -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lease, systemd, tools, ran, warned",
    [
        (True, True, TOOLS, True, False),
        (False, True, TOOLS, False, False),
        (True, False, TOOLS, False, True),
        (True, True, (), False, True),
    ],
)
def test_networkd(
    tmp_path: Any, lease: bool, systemd: bool, tools: Sequence[str], ran: bool, warned: bool
) -> None:
    machine = Machine(tmp_path, tools=tools)
    machine.process(700, "systemd-network", "/usr/lib/systemd/systemd-networkd")
    if lease:
        machine.put("/run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\n")
    if systemd:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    renewal = machine.renew()
    assert machine.ran == (
        [
            [
                "/usr/bin/systemctl",
                "restart",
                "--no-block",
                "--job-mode=ignore-dependencies",
                "systemd-networkd.service",
            ]
        ]
        if ran
        else []
    )
    assert (bool(renewal.told), bool(renewal.warnings)) == (ran, warned)


@pytest.mark.parametrize(
    "profile, says",
    [
        ("auto\nyes\n\n", "was asked to send it"),
        ("auto\n-1\n\n", "was asked to send it"),
        ("auto\n\nweb-1\n", "was asked to send it"),
        ("auto\nno\n\n", "sends no host name"),
        ("auto\n0\n\n", "sends no host name"),
        ("auto\nyes\nfixed\n", "sends the name fixed"),
        ("manual\nyes\n\n", ""),
        ("", ""),
    ],
)
def test_networkmanager(tmp_path: Any, profile: str, says: str) -> None:
    machine = Machine(tmp_path, {"--active": "u-u-1:eth0\nu-u-2:lo\nu-u-3:\n", "u-u-1": profile})
    machine.process(700, "NetworkManager", "/usr/sbin/NetworkManager --no-daemon")
    renewal = machine.renew()
    assert renewal.warnings == () and len(renewal.told) == bool(says)
    assert (machine.ran[-1][1:] == ["device", "modify", "eth0", "ipv4.dhcp-hostname", "web-1"]) is (
        "asked" in says
    )
    assert not says or says in renewal.told[0]


@pytest.mark.parametrize("word", ["--active", "u-u-1", "modify"])
def test_nmcli_that_fails_is_a_warning(tmp_path: Any, word: str) -> None:
    answers: Dict[str, Any] = {word: ProvisioningError("command failed")}
    answers.update(
        {"--active": "u-u-1:eth0\n", "u-u-1": "auto\nyes\n\n"}
        if word == "modify"
        else {"--active": "u-u-1:eth0\n"}
        if word == "u-u-1"
        else {}
    )
    machine = Machine(tmp_path, answers)
    machine.process(700, "NetworkManager", "/usr/sbin/NetworkManager")
    assert len(machine.renew().warnings) == 1
