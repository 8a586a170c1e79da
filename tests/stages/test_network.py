"""Finding the network: which lease counts, which NIC is primary, what happens without a lease, and
when to give up.
"""

from __future__ import annotations

import logging
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import pytest

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.datasources.azure.identity import IMDS, WIRESERVER
from lightinit.datasources.ec2.datasource import Ec2Datasource
from lightinit.datasources.openstack.datasource import OpenStackDatasource
from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock
from lightinit.host.command import Completed
from lightinit.host.dhcp.networkd import PEEK_TIMEOUT_S, SOCKET
from lightinit.host.network.interfaces import Interface, KernelRoute, Scene
from lightinit.host.system import System
from lightinit.model import Lease, Network, Route
from lightinit.stages.leases import LeaseSearch, choose_lease
from lightinit.stages.network import find_network
from tests.lib.netns import wait_until
from tests.lib.planned_clock import PlannedClock, put
from tests.lib.varlink_service import VarlinkService

ETH0 = Interface("eth0", 2, ("10.0.0.4",), carrier=True, physical=True)
ETH1 = Interface("eth1", 3, ("10.1.0.4",), carrier=True, physical=True)
NOTHING = Scene((ETH0._replace(addresses=()),))
ONE_NIC = Scene((ETH0,), default_interface="eth0", platform_source="10.0.0.4")
TWO_NICS = Scene((ETH0, ETH1), default_interface="eth0", platform_source="10.0.0.4")
TO_WIRESERVER = "option unknown-121 20:a8:3f:81:10:a:0:0:1;"
NM_FILE = "/var/lib/NetworkManager/internal-11111111-2222-3333-4444-555555555555-eth0.lease"
NM_DEVICE = (
    "[device]\nmanaged=true\n[dhcp4]\ndhcp4.ip_address=10.0.0.4\ndhcp4.private_245=a:9:8:7\n"
)


def block(
    address: str,
    interface: str = "eth0",
    option_245: str = "a:9:8:7",
    extra: str = "",
    expire: str = "never",
) -> str:
    option = "option unknown-245 %s;" % option_245 if option_245 else ""
    return 'lease {\n interface "%s";\n fixed-address %s;\n %s %s\n expire %s;\n}\n' % (
        interface,
        address,
        option,
        extra,
        expire,
    )


class Scenes:
    """What the network looks like: changes when the test says so."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.looks = 0

    def __call__(self) -> Scene:
        self.looks += 1
        return self.scene

    def become(self, scene: Scene) -> Callable[[], None]:
        def change() -> None:
            self.scene = scene

        return change


class Host:
    """A scratch root whose network is scripted."""

    def __init__(self, root: Path, scene: Scene, *plan: Tuple[float, Callable[[], object]]) -> None:
        self.root = root
        self.clock = PlannedClock(*plan)
        self.system = System(str(root), self.clock)
        self.source = AzureDatasource(self.system, {})
        self.scenes = Scenes(scene)

    def lease(
        self, text: str, path: str = "/var/lib/dhcp/dhclient.leases", written_s: float = 1000.0
    ) -> None:
        put(self.root, path, text.encode(), written_s)

    def find(
        self,
        timeout_s: float = 300.0,
        grace_s: float = 2.0,
        interface: str = "",
        while_waiting: Optional[Callable[[], None]] = None,
        needs_server: bool = False,
    ) -> Network:
        return find_network(
            self.system,
            self.source,
            timeout_s,
            grace_s,
            interface,
            while_waiting,
            self.scenes,
            needs_server,
        )


# -- one NIC
# --------------------------------------------------------------------------------------------------


def test_a_lease_that_is_there_is_taken_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease(block("10.0.0.4"))
    waited: List[int] = []
    found = host.find(while_waiting=lambda: waited.append(1))
    assert found == Network(
        "10.9.8.7",
        "eth0",
        "10.0.0.4",
        "dhclient",
        "/var/lib/dhcp/dhclient.leases",
        server_from_lease=True,
    )
    assert host.clock.passed_s == 0
    assert host.scenes.looks == 1
    assert waited == []


def test_a_lease_that_comes_later_is_found(tmp_path: Path) -> None:
    host = Host(tmp_path, NOTHING)
    host.clock.plan = [
        (5.0, lambda: host.lease(block("10.0.0.4"))),
        (7.0, host.scenes.become(ONE_NIC)),
    ]
    waited: List[float] = []
    found = host.find(while_waiting=lambda: waited.append(host.clock.passed_s))
    assert found.server == "10.9.8.7"
    assert 7 <= host.clock.passed_s <= 8
    assert waited == [0.0]


def test_the_network_is_looked_at_again_after_what_was_done_while_waiting(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.scenes.scene = NOTHING

    def arrive() -> None:
        host.lease(block("10.0.0.4"))
        host.scenes.scene = ONE_NIC

    assert host.find(while_waiting=arrive).server == "10.9.8.7"
    assert host.clock.passed_s == 0


def test_a_clock_that_jumps_by_years_ends_no_lease_of_this_boot(tmp_path: Path) -> None:
    """networkd notes how long a lease lasts: by the file's age it is over, by the address on the
    interface it is not.
    """
    lease = "ADDRESS=10.0.0.4\nROUTER=10.0.0.1\nLIFETIME=3600\nOPTION_245=0a090807\n"
    host = Host(tmp_path, ONE_NIC)
    host.lease(lease, "/run/systemd/netif/leases/2", written_s=1000.0)
    assert host.system.clock.time() > 1000.0 + 3600
    assert host.find(timeout_s=5.0).client == "networkd"
    gone = Host(tmp_path, ONE_NIC._replace(interfaces=(ETH0._replace(addresses=("10.0.0.9",)),)))
    assert gone.find(timeout_s=5.0).client == ""


INFINITE = "option dhcp-lease-time 4294967295;"
PAST, FUTURE = "4 2001/01/01 00:00:00", "4 2162/01/01 00:00:00"
NM_LEASE = "ADDRESS=10.0.0.4\nLIFETIME=3600\nOPTION_245=0a090807\n"


@pytest.mark.parametrize(
    ("text", "path", "waited_s"),
    [
        # Never, and infinite leases whose end has wrapped or cannot be read: at once.
        (block("10.0.0.4", expire="0 never"), "/var/lib/dhcp/dhclient.leases", 0.0),
        (block("10.0.0.4", extra=INFINITE, expire=PAST), "/var/lib/dhcp/dhclient.leases", 0.0),
        (
            block("10.0.0.4", extra=INFINITE, expire="epoch -1"),
            "/var/lib/dhcp/dhclient-eth0.lease",
            0.0,
        ),
        (block("10.0.0.4", extra=INFINITE, expire=FUTURE), "/var/lib/dhcp/dhclient.leases", 0.0),
        (block("10.0.0.4", expire=FUTURE), "/var/lib/dhcp/dhclient.leases", 0.0),
        (NM_LEASE.replace("3600", "4294967295"), NM_FILE, 0.0),
        (NM_LEASE + "expiry=1\n", NM_FILE.replace("/var/lib", "/run"), 0.0),
        # Ended by a date that a wrong clock may have written: a better one is waited for.
        (block("10.0.0.4", expire=PAST), "/var/lib/dhcp/dhclient.leases", 2.0),
        (block("10.0.0.4", expire="5 1969/12/31 23:59:58"), "/var/lib/dhcp/dhclient.leases", 2.0),
        (block("10.0.0.4", expire="soon"), "/var/lib/dhcp/dhclient.leases", 2.0),
        (NM_LEASE, NM_FILE, 2.0),
        (NM_LEASE + "expiry=1\n", NM_FILE, 2.0),
    ],
)
def test_an_address_on_the_nic_is_better_evidence_than_a_date(
    tmp_path: Path, text: str, path: str, waited_s: float
) -> None:
    """P8: WALinuxAgent's fixture dhcp.leases.multi: the end of an infinite lease has wrapped."""
    host = Host(tmp_path, ONE_NIC)
    host.lease(text, path)
    found = host.find()
    assert (found.server, found.source, found.warnings) == ("10.9.8.7", path, ())
    assert host.clock.passed_s == waited_s
    gone = Host(tmp_path, ONE_NIC._replace(interfaces=(ETH0._replace(addresses=("10.0.0.9",)),)))
    assert gone.find().client == ""


@pytest.mark.parametrize("ended_is_newer", [False, True])
def test_a_lease_that_has_not_ended_is_better_than_one_that_has(
    tmp_path: Path, ended_is_newer: bool
) -> None:
    """P8: whichever file is newer by its date."""
    host = Host(tmp_path, ONE_NIC)
    host.lease(block("10.0.0.4", option_245="a:6:6:6", expire=PAST), written_s=2000.0)
    host.lease(
        block("10.0.0.4"), "/var/lib/dhclient/dhclient.leases", 1000.0 if ended_is_newer else 3000.0
    )
    assert host.find().server == "10.9.8.7"
    assert host.clock.passed_s == 0.0


def test_one_file_with_an_ended_lease_and_another_one(tmp_path: Path) -> None:
    """P8: of one NIC the unexpired block counts, of the other NIC the ended one."""
    host = Host(tmp_path, TWO_NICS)
    host.lease(
        block("10.0.0.4", expire=FUTURE)
        + block("10.0.0.4", option_245="a:6:6:6", expire=PAST)
        + block("10.1.0.4", "eth1", extra=TO_WIRESERVER, expire=PAST)
    )
    assert host.find().interface == "eth1"
    assert host.find(interface="eth0").server == "10.9.8.7"


def test_in_a_scratch_root_the_date_decides(tmp_path: Path) -> None:
    """P8: nothing else can be checked there."""
    scene = Scene((ETH0,), default_interface="eth0", of_root=False)
    host = Host(tmp_path, scene)
    host.lease(block("203.0.113.7", expire=PAST))
    assert host.find().client == ""
    host.lease(block("203.0.113.7", expire=PAST, extra=INFINITE))
    assert host.find().client == "dhclient"


def test_a_stale_lease_never_wins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "lightinit")
    host = Host(tmp_path, NOTHING)
    host.lease(block("192.168.7.7"))
    host.clock.plan = [
        (3.0, host.scenes.become(ONE_NIC)),
        (3.0, lambda: host.lease(block("10.0.0.4"), "/var/lib/dhcp/dhclient.eth0.leases", 500.0)),
    ]
    found = host.find()
    assert (found.address, found.source) == ("10.0.0.4", "/var/lib/dhcp/dhclient.eth0.leases")
    said = [
        record.getMessage() for record in caplog.records if "passed over" in record.getMessage()
    ]
    assert said == [
        "lease file passed over: /var/lib/dhcp/dhclient.leases: "
        "its address 192.168.7.7 is on no interface now"
    ]


def test_the_interface_is_the_one_that_has_the_address(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease(block("10.0.0.4", interface="old0"))
    assert host.find().interface == "eth0"


def test_the_newest_of_several_leases_for_an_interface(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease(
        "interface=eth0\nip=10.0.0.4\nopt245=0a000001\n",
        "/run/lightinit/leases/eth0.udhcpc",
        2000.0,
    )
    host.lease(block("10.0.0.4", option_245="a:0:0:2"), written_s=3000.0)
    host.lease("ADDRESS=10.0.0.4\nOPTION_245=0a000003\n", "/run/systemd/netif/leases/2", 1000.0)
    assert host.find().server == "10.0.0.2"


def test_without_option_245_the_wellknown_address(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease(block("10.0.0.4", option_245=""))
    found = host.find()
    assert (found.server, found.server_from_lease, found.client) == (WIRESERVER, False, "dhclient")
    assert len(found.warnings) == 1
    assert "no usable option 245" in found.warnings[0]
    assert host.clock.passed_s == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it holds no unexpired lease"),
        (block("10.0.0.9", expire="4 2001/01/01 00:00:00"), "10.0.0.9 is on no interface now"),
        (block("10.0.0.4")[:-3], "no unexpired lease"),
    ],
)
def test_files_without_a_lease_are_passed_over(tmp_path: Path, text: str, reason: str) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease(text)
    found = host.find()
    assert (found.server, found.source) == (WIRESERVER, "address and route without a lease")
    assert reason in found.warnings[0]


def test_random_bytes_in_every_place_end_in_the_wellknown_address(tmp_path: Path) -> None:
    import random

    chance = random.Random(7)
    host = Host(tmp_path, ONE_NIC)
    for path in (
        "/run/systemd/netif/leases/2",
        NM_FILE,
        "/run/NetworkManager/devices/2",
        "/var/lib/dhcp/dhclient.leases",
        "/var/lib/dhcpcd/eth0.lease",
        "/run/lightinit/leases/a.udhcpc",
    ):
        put(tmp_path, path, bytes(chance.randrange(256) for _ in range(999)))
    (tmp_path / "var/lib/dhclient/dhclient.leases").mkdir(parents=True)
    found = host.find()
    assert found.server == WIRESERVER
    for word in (
        "/var/lib/dhcpcd/eth0.lease: not a dhcp reply",
        "dhclient.leases: Is a directory",
        "/run/systemd/netif/leases/2: lease has no address",
    ):
        assert word in found.warnings[0]


# -- without a lease
# -----------------------------------------------------------------------------------------------


def test_an_address_and_a_route_are_enough_after_the_grace(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    waited: List[int] = []
    found = host.find(while_waiting=lambda: waited.append(1))
    assert (found.server, found.interface, found.address, found.client) == (
        WIRESERVER,
        "eth0",
        "10.0.0.4",
        "",
    )
    assert "no lease file is there" in found.warnings[0]
    assert host.clock.passed_s == 2.0
    assert waited == [1]


def test_the_grace_ends_on_time(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.find(grace_s=0.25)
    assert host.clock.passed_s == 0.25


def test_a_lease_within_the_grace_is_better(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.clock.plan = [(1.0, lambda: host.lease(block("10.0.0.4")))]
    assert host.find().server == "10.9.8.7"
    assert host.clock.passed_s == 1.0


def test_the_grace_begins_anew_when_the_address_goes(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.clock.plan = [(1.0, host.scenes.become(NOTHING)), (10.0, host.scenes.become(ONE_NIC))]
    host.find()
    assert host.clock.passed_s == 12.0


SILENT_NIC = ONE_NIC._replace(interfaces=(ETH0, ETH1._replace(addresses=())))
A_LEASE = "/var/lib/dhcp/dhclient.leases"


@pytest.mark.parametrize(
    ("scene", "lease_after_s", "passed_s", "source"),
    [
        (ONE_NIC, None, 0.2, "address and route without a lease"),
        (ONE_NIC, 0.1, 0.2, A_LEASE),
        (SILENT_NIC, None, 2.0, "address and route without a lease"),
        (SILENT_NIC, 1.0, 3.0, A_LEASE),
    ],
)
@pytest.mark.parametrize("datasource", [Ec2Datasource, OpenStackDatasource])
def test_where_a_lease_says_nothing_a_static_network_is_as_good(
    tmp_path: Path,
    datasource: Any,
    scene: Scene,
    lease_after_s: Optional[float],
    passed_s: float,
    source: str,
) -> None:
    host = Host(tmp_path, scene)
    host.source = datasource(host.system, {})
    if lease_after_s is not None:
        host.clock.plan = [(lease_after_s, lambda: host.lease(block("10.0.0.4")))]
    found = host.find()
    assert (found.address, found.source, found.warnings) == ("10.0.0.4", source, ())
    assert host.clock.passed_s == pytest.approx(passed_s)
    host.scenes.scene = NOTHING
    with pytest.raises(ProvisioningError, match="or gives it an address and a route"):
        host.find(timeout_s=0.0)


@pytest.mark.parametrize(
    "scene",
    [
        Scene(),
        NOTHING,
        Scene((ETH0,)),  # no route
        Scene(
            (ETH0._replace(addresses=("169.254.3.4",)),),
            default_interface="eth0",
            platform_source="169.254.3.4",
        ),
        Scene(
            (ETH0._replace(addresses=("127.0.0.2",)),),
            default_interface="eth0",
            platform_source="127.0.0.2",
        ),
    ],
)
def test_what_is_no_network(tmp_path: Path, scene: Scene) -> None:
    host = Host(tmp_path, scene)
    with pytest.raises(ProvisioningError, match="no network before the deadline"):
        host.find(timeout_s=30.0)
    assert host.clock.passed_s == 30.0


def test_a_default_route_alone_or_a_route_to_the_wireserver_alone_will_do(tmp_path: Path) -> None:
    both = Scene((ETH0, ETH1), default_interface="eth1")
    assert Host(tmp_path, both).find().interface == "eth1"
    routed = Scene((ETH0, ETH1), platform_source="10.1.0.4")
    assert Host(tmp_path, routed).find().address == "10.1.0.4"


def test_at_the_deadline_what_was_waiting_for_something_better_is_taken(tmp_path: Path) -> None:
    assert Host(tmp_path, ONE_NIC).find(timeout_s=1.0).server == WIRESERVER
    assert Host(tmp_path, ONE_NIC).find(timeout_s=0.0).server == WIRESERVER


def test_giving_up_says_what_was_seen(tmp_path: Path) -> None:
    host = Host(tmp_path, Scene((ETH0._replace(addresses=()), ETH1._replace(carrier=False))))
    host.lease(block("192.168.7.7"))
    with pytest.raises(ProvisioningError) as caught:
        host.find(timeout_s=0.5)
    assert caught.value.details["interfaces"] == "eth0 (carrier); eth1 (no carrier, 10.1.0.4)"
    assert (
        caught.value.details["leases"]
        == "/var/lib/dhcp/dhclient.leases: its address 192.168.7.7 is on no interface now"
    )
    assert caught.value.details["default_route"] == "none"
    assert "DHCP client" in caught.value.details["hint"]


DOCKER0 = Interface("docker0", 4, ("172.17.0.1",))
LINK_LOCAL = ETH0._replace(addresses=("169.254.9.9",))
TUN0 = Interface("tun0", 5, ("10.8.0.2",), carrier=True)
VLAN = Interface("eth0.7", 6, ("10.7.0.4",), carrier=True, backed=True)
EMPTY = ETH0._replace(addresses=())
VETH = EMPTY._replace(physical=False)


@pytest.mark.parametrize(
    "scene",
    [
        # The kernel takes docker0's address for want of another one on eth0, the way out.
        Scene((LINK_LOCAL, DOCKER0), (), "eth0", "172.17.0.1", "eth0"),
        Scene((LINK_LOCAL, DOCKER0), (), "eth0", "169.254.9.9", "eth0"),
        Scene((LINK_LOCAL._replace(physical=False), DOCKER0), (), "eth0", "172.17.0.1", "eth0"),
        # No way out at all, or none over this interface.
        Scene((EMPTY, DOCKER0)),
        Scene((EMPTY, DOCKER0), (), "eth0", "", "eth0"),
        # The way out has no device behind it, and the NIC has no address yet.
        Scene((EMPTY, DOCKER0), (), "docker0", "172.17.0.1", "docker0"),
        Scene((EMPTY, TUN0), (), "tun0", "10.8.0.2", "tun0"),
        Scene((EMPTY._replace(carrier=False), TUN0), (), "tun0", "10.8.0.2", "tun0"),
    ],
)
def test_an_interface_without_a_device_is_not_the_vms_while_the_nic_may_get_its_lease(
    tmp_path: Path, scene: Scene
) -> None:
    """P6: linuxkit#393 with dhcpcd: no candidate is chosen that meets no criterion."""
    host = Host(tmp_path, scene)
    host.clock.plan = [
        (12.0, host.scenes.become(ONE_NIC._replace(interfaces=(ETH0, DOCKER0, TUN0)))),
        (12.0, lambda: host.lease(block("10.0.0.4"))),
    ]
    assert host.find().interface == "eth0"
    assert 12.0 <= host.clock.passed_s <= 13.0


@pytest.mark.parametrize(
    "scene, interface",
    [
        (Scene((EMPTY, VLAN), (), "eth0.7", "10.7.0.4", "eth0.7"), "eth0.7"),
        (Scene((VETH, TUN0), (), "tun0", "10.8.0.2", "tun0"), "tun0"),  # a container
        (Scene((ETH0, TUN0), (), "tun0", "10.8.0.2", "tun0"), "tun0"),  # the NIC has an address
        (Scene((ETH0, DOCKER0), (), "eth0", "10.0.0.4", "eth0"), "eth0"),
    ],
)
def test_other_addresses_without_a_lease_do_after_the_grace(
    tmp_path: Path, scene: Scene, interface: str
) -> None:
    host = Host(tmp_path, scene)
    assert host.find().interface == interface
    assert host.clock.passed_s == 2.0


def test_at_the_deadline_an_address_of_another_interface_is_better_than_nothing(
    tmp_path: Path,
) -> None:
    """P6: an address on a dummy, for example, while the NIC routes without one."""
    host = Host(tmp_path, Scene((EMPTY, DOCKER0), (), "eth0", "172.17.0.1", "eth0"))
    assert host.find(timeout_s=30.0).address == "172.17.0.1"
    assert host.clock.passed_s == 30.0


@pytest.mark.parametrize("lease_of_eth1", [False, True])
@pytest.mark.parametrize("nic", [EMPTY, VETH])
def test_only_a_lease_with_option_245_shows_that_this_is_the_platform(
    tmp_path: Path, lease_of_eth1: bool, nic: Interface
) -> None:
    """P7: without DMI, an address and a default route of another interface come first."""
    other = ETH1._replace(physical=nic.physical)
    host = Host(tmp_path, Scene((nic, other), (), "eth1", "10.1.0.4", "eth1"))
    if lease_of_eth1:
        host.lease(block("10.1.0.4", "eth1", option_245=""))
    both = host.scenes.scene._replace(interfaces=(nic._replace(addresses=("10.0.0.4",)), other))
    host.clock.plan = [
        (6.0, host.scenes.become(both)),
        (6.0, lambda: host.lease(block("10.0.0.4"), "/var/lib/dhcp/dhclient.eth0.leases")),
    ]
    found = host.find(needs_server=True)
    assert (found.interface, found.server) == ("eth0", "10.9.8.7")
    assert 6.0 <= host.clock.passed_s <= 7.0


def test_without_any_such_lease_the_question_is_open_until_the_deadline(tmp_path: Path) -> None:
    """P7: then there is no evidence; with all leases there, none is waited for."""
    host = Host(tmp_path, ONE_NIC)
    assert host.find(needs_server=True, timeout_s=30.0).server_from_lease is False
    assert host.clock.passed_s == 30.0
    settled = Host(tmp_path, ONE_NIC)
    settled.lease(block("10.0.0.4", option_245=""))
    assert settled.find(needs_server=True).server_from_lease is False
    assert settled.clock.passed_s == 0.0


# -- several NICs
# --------------------------------------------------------------------------------------------------


def lease(interface: str, wireserver: Optional[str] = None, routes: Sequence[str] = ()) -> Lease:
    return Lease(
        "dhclient",
        "10.0.0.1",
        interface,
        wireserver,
        routes=tuple(Route(destination, "10.0.0.1") for destination in routes),
    )


@pytest.mark.parametrize(
    ("leases", "kernel", "default", "chosen"),
    [
        # The leases' own routes come before everything else.
        ([lease("a", "1.1.1.1"), lease("b", None, [WIRESERVER + "/32"])], [], "a", "b"),
        ([lease("a", "1.1.1.1"), lease("b", None, [IMDS + "/32"])], [], "a", "b"),
        ([lease("a", "1.1.1.1"), lease("b", None, ["168.63.129.0/24"])], [], "a", "b"),
        (
            [
                lease("a", None, [IMDS + "/32"]),
                lease("b", None, [IMDS + "/32", WIRESERVER + "/32"]),
            ],
            [],
            "a",
            "b",
        ),
        # Then the kernel's.
        ([lease("a", "1.1.1.1"), lease("b")], [KernelRoute(WIRESERVER + "/32", "b")], "a", "b"),
        ([lease("a", "1.1.1.1"), lease("b")], [KernelRoute(WIRESERVER + "/32", "c")], "a", "a"),
        # Shorter routes say nothing: default routes, a VPN's halves, the link-local network.
        (
            [lease("a"), lease("b", None, ["0.0.0.0/0", "128.0.0.0/1", "169.254.0.0/16"])],
            [],
            "a",
            "a",
        ),
        ([lease("a"), lease("b", None, ["168.63.129.17/32"])], [], "a", "a"),
        # Then the default route, then option 245, then the order.
        ([lease("a", "1.1.1.1"), lease("b")], [], "b", "b"),
        ([lease("a"), lease("b", "1.1.1.1")], [], "c", "b"),
        ([lease("a"), lease("b", "1.1.1.1")], [], "", "b"),
        ([lease("a"), lease("b")], [], "", "a"),
        ([lease("a", "1.1.1.1"), lease("b", "1.1.1.1")], [], "", "a"),
    ],
)
def test_choose_lease(
    leases: List[Lease], kernel: List[KernelRoute], default: str, chosen: str
) -> None:
    source = AzureDatasource(System("/nonexistent"), {})
    assert choose_lease(leases, kernel, default, source).interface == chosen


def test_the_nic_whose_lease_leads_to_the_platform_is_primary(tmp_path: Path) -> None:
    host = Host(tmp_path, TWO_NICS)
    host.lease(block("10.0.0.4") + block("10.1.0.4", "eth1", extra=TO_WIRESERVER))
    assert host.find().interface == "eth1"
    assert host.clock.passed_s == 0


def test_a_second_nic_that_is_first_waits_for_the_other(tmp_path: Path) -> None:
    alone = Scene(
        (ETH0._replace(addresses=()), ETH1), default_interface="eth1", platform_source="10.1.0.4"
    )
    host = Host(tmp_path, alone)
    host.lease(block("10.1.0.4", "eth1"))
    host.clock.plan = [
        (1.5, host.scenes.become(TWO_NICS)),
        (1.5, lambda: host.lease(block("10.0.0.4"), "/var/lib/dhcp/dhclient.eth0.leases")),
    ]
    assert host.find().interface == "eth0"
    assert 1.5 <= host.clock.passed_s <= 2


@pytest.mark.parametrize(
    ("change", "waited_s"),
    [
        ({}, 2.0),
        ({"carrier": False}, 0.0),
        ({"physical": False}, 0.0),
        ({"addresses": ("192.168.0.9",)}, 0.0),
        ({"addresses": ("169.254.9.9",)}, 2.0),
    ],
)
def test_how_long_a_lone_lease_waits_for_the_other_nic(
    tmp_path: Path, change: Dict[str, Any], waited_s: float
) -> None:
    other = ETH0._replace(addresses=())._replace(**change)
    host = Host(tmp_path, Scene((other, ETH1), default_interface="eth1"))
    host.lease(block("10.1.0.4", "eth1"))
    assert host.find().interface == "eth1"
    assert host.clock.passed_s == waited_s


@pytest.mark.parametrize("proof", ["lease", "kernel", "settings"])
def test_a_lease_that_is_proven_primary_does_not_wait(tmp_path: Path, proof: str) -> None:
    routes = (KernelRoute(WIRESERVER + "/32", "eth1"),) if proof == "kernel" else ()
    host = Host(tmp_path, Scene((ETH0._replace(addresses=()), ETH1), routes, "eth1"))
    host.lease(block("10.1.0.4", "eth1", extra=TO_WIRESERVER if proof == "lease" else ""))
    assert host.find(interface="eth1" if proof == "settings" else "").interface == "eth1"
    assert host.clock.passed_s == 0


def test_option_245_of_another_nic_is_not_used_but_named(tmp_path: Path) -> None:
    host = Host(tmp_path, TWO_NICS)
    host.lease(block("10.0.0.4", option_245="") + block("10.1.0.4", "eth1", option_245="a:6:6:6"))
    found = host.find()
    assert (found.interface, found.server, found.server_from_lease) == ("eth0", WIRESERVER, False)
    assert "10.6.6.6 on eth1 is not used" in found.warnings[0]


def test_the_interface_of_the_settings_is_the_only_one(tmp_path: Path) -> None:
    host = Host(tmp_path, TWO_NICS)
    host.lease(block("10.0.0.4") + block("10.1.0.4", "eth1"))
    assert host.find(interface="eth1").address == "10.1.0.4"
    eth2 = ETH0._replace(name="eth2", number=4, addresses=())
    host.scenes.scene = TWO_NICS._replace(interfaces=(ETH0, ETH1, eth2))
    with pytest.raises(ProvisioningError) as caught:
        host.find(interface="eth2", timeout_s=5.0)
    assert "the settings name eth2" in caught.value.details["leases"]


@pytest.mark.parametrize("has_lease", [True, False])
def test_an_interface_of_the_settings_that_is_not_there_costs_no_login(
    tmp_path: Path, has_lease: bool
) -> None:
    host = Host(tmp_path, TWO_NICS)
    if has_lease:
        host.lease(block("10.0.0.4"))
    found = host.find(interface="ens5", timeout_s=5.0)
    assert (found.interface, found.address, host.clock.passed_s) == ("eth0", "10.0.0.4", 5.0)
    assert found.warnings[0].startswith("there is no interface ens5, which the settings name: eth0")
    host.scenes.scene = TWO_NICS._replace(of_root=False)  # not this root's interfaces
    with pytest.raises(ProvisioningError):
        host.find(interface="ens5", timeout_s=5.0)


def test_without_a_lease_too_the_interface_of_the_settings_is_the_only_one(tmp_path: Path) -> None:
    assert Host(tmp_path, TWO_NICS).find(interface="eth1").address == "10.1.0.4"


# -- NetworkManager
# ------------------------------------------------------------------------------------------------


def test_networkmanagers_two_files_are_one_lease(tmp_path: Path) -> None:
    for older, newer in ((1000.0, 2000.0), (2000.0, 1000.0)):
        host = Host(tmp_path, ONE_NIC)
        host.lease("ADDRESS=10.0.0.4\n", NM_FILE, older)
        host.lease(NM_DEVICE, "/run/NetworkManager/devices/2", newer)
        found = host.find()
        assert (found.server, found.source) == ("10.9.8.7", "/run/NetworkManager/devices/2")
        assert host.clock.passed_s == 0


def test_networkmanagers_device_file_may_follow(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease("ADDRESS=10.0.0.4\n", NM_FILE)
    host.clock.plan = [(1.0, lambda: host.lease(NM_DEVICE, "/run/NetworkManager/devices/2"))]
    assert host.find().server == "10.9.8.7"
    assert host.clock.passed_s == 1.0


class AnsweringSystem(System):
    """A scratch root on which NetworkManager answers."""

    def __init__(self, root: str, clock: Clock, answer: str) -> None:
        super().__init__(root, clock)
        self.answer = answer
        self.asked = 0

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/nmcli" if name == "nmcli" else None

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.asked += 1
        return Completed(0, self.answer, "")


ANSWER = (
    "GENERAL.DEVICE:   eth0\nDHCP4.OPTION[1]:   ip_address = 10.0.0.4\n"
    "DHCP4.OPTION[2]:   private_245 = a:9:8:7\n\nGENERAL.DEVICE:  lo\n"
)


def test_networkmanager_is_asked_when_its_file_says_too_little(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.system = system = AnsweringSystem(str(tmp_path), host.clock, ANSWER)
    host.lease("ADDRESS=10.0.0.4\n", NM_FILE)
    found = host.find()
    assert (found.server, found.source, found.server_from_lease) == (
        "10.9.8.7",
        "nmcli device show",
        True,
    )
    assert (host.clock.passed_s, system.asked) == (0, 1)


def test_networkmanager_is_asked_when_no_file_is_there(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.system = system = AnsweringSystem(str(tmp_path), host.clock, ANSWER)
    assert host.find().server == "10.9.8.7"
    assert (host.clock.passed_s, system.asked) == (2.0, 1)


def test_networkmanager_is_not_asked_when_a_file_speaks(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.system = system = AnsweringSystem(str(tmp_path), host.clock, ANSWER)
    host.lease(block("10.0.0.4"))
    host.find()
    assert system.asked == 0


@pytest.mark.parametrize("file", ["", "ADDRESS=10.0.0.4\n"])
def test_an_empty_answer_is_asked_for_once(tmp_path: Path, file: str) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.system = system = AnsweringSystem(str(tmp_path), host.clock, "GENERAL.DEVICE:  lo\n")
    if file:
        host.lease(file, NM_FILE)
    assert host.find().server == WIRESERVER
    assert (host.clock.passed_s, system.asked) == (2.0, 1)


# -- the real machine's interfaces
# ---------------------------------------------------------------------------------


def test_in_a_scratch_root_addresses_are_not_checked(tmp_path: Path) -> None:
    put(
        tmp_path,
        "/var/lib/dhcp/dhclient.leases",
        (block("203.0.113.7", "eth0", extra=TO_WIRESERVER) + block("203.0.113.9", "eth1")).encode(),
    )
    system = System(str(tmp_path))
    found = find_network(system, AzureDatasource(system, {}), timeout_s=120.0)
    assert (found.interface, found.address, found.server) == ("eth0", "203.0.113.7", "10.9.8.7")


def found_after_s(root: Path) -> float:
    """Seconds from the arrival of a lease until it is found."""
    import threading

    (root / "var/lib/dhcp").mkdir(parents=True)
    arrived: List[float] = []

    def arrive() -> None:
        arrived.append(time.monotonic())
        put(root, "/var/lib/dhcp/dhclient.leases", block("203.0.113.7").encode())

    timer = threading.Timer(0.2, arrive)
    timer.start()
    system = System(str(root))
    found = find_network(system, AzureDatasource(system, {}), timeout_s=120.0, grace_s=120.0)
    took_s = time.monotonic() - arrived[0]
    timer.join()
    assert found.address == "203.0.113.7"
    return took_s


def test_a_lease_is_found_by_event(tmp_path: Path) -> None:
    # The coarse poll would come 0.8 s later. A machine that is busy is asked again.
    assert any(found_after_s(tmp_path / str(number)) < 0.6 for number in range(20))


# -- clients that keep no lease files
# --------------------------------------------------------------------------------------------------


def described(address: str) -> bytes:
    """What networkd 262 says if eth0 has this lease."""
    message = (
        b'{"yiaddr":"%s","options":[{"tag":53,"data":"05"},{"tag":245,"data":"0a090807"}]}'
        % socket.inet_aton(address).hex().encode("ascii")
    )
    return (
        b'{"parameters":{"Interfaces":[{"Name":"eth0","DHCPv4Client":{"Lease":{"Message":%s}}}]}}'
        % message
    )


def find_by_networkd(
    address: str, scene: Scene, prepare: Callable[[Host], None] = lambda _: None
) -> Tuple[Host, Network, int]:
    """The host, what is found on it, and how often a networkd that has this lease was asked. Where
    the machine is so busy that networkd's second may be over, it is asked anew.
    """
    for _ in range(5):
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="li", dir="/tmp") as folder:
            host = Host(Path(folder), scene)
            prepare(host)
            with VarlinkService(Path(folder + SOCKET), described(address)) as networkd:
                found = host.find()
        if time.monotonic() - started_s < PEEK_TIMEOUT_S:
            break
    return host, found, len(networkd.asked)


def test_networkd_without_lease_files_is_asked_when_an_address_comes() -> None:
    def address_comes(host: Host) -> None:
        host.clock.plan = [(5.0, host.scenes.become(ONE_NIC))]

    host, found, asked = find_by_networkd("10.0.0.4", NOTHING, address_comes)
    assert (found.server, found.server_from_lease, found.warnings) == ("10.9.8.7", True, ())
    assert (found.interface, found.client, found.source) == ("eth0", "networkd", SOCKET)
    assert host.clock.passed_s <= 6 and asked == 1


def test_a_hook_without_the_option_is_told_how_to_get_it(tmp_path: Path) -> None:
    host = Host(tmp_path, ONE_NIC)
    host.lease("interface=eth0\nip=10.0.0.4\n", "/run/lightinit/leases/eth0.udhcpc")
    (warning,) = host.find().warnings
    assert warning.endswith("168.63.129.16 is used; start udhcpc with -O 245")


@pytest.mark.long
def test_a_networkd_that_hangs_costs_three_seconds_at_most() -> None:
    with tempfile.TemporaryDirectory(prefix="li", dir="/tmp") as folder:
        system = System(folder)
        search = LeaseSearch(system, AzureDatasource(system, {}), "")
        with VarlinkService(Path(folder + SOCKET), None) as networkd:
            for number in range(6):  # each time another address has come
                address = "10.0.0.%d" % number
                assert search.look(Scene((ETH0._replace(addresses=(address,)),))) == []
            wait_until(lambda: len(networkd.asked) >= 3, 60, "it has not heard all")
    assert len(networkd.asked) == 3


def test_networkd_that_has_another_address_is_asked_only_once() -> None:
    _, found, asked = find_by_networkd("10.0.0.9", ONE_NIC)
    assert not found.server_from_lease and asked == 1
    assert "its address 10.0.0.9 is on no interface now" in found.warnings[0]
