"""What each real DHCP client wrote when a server gave it the same lease."""

from __future__ import annotations

import socket
from typing import Dict, Tuple

from lightinit.formats.dhcp.clients import read_leases
from lightinit.model import Lease, Route

NOW_S = 1795403607.0  # 2026-11-23 03:13:27 UTC
PLATFORM_ROUTES = (
    Route("168.63.129.16/32", "10.99.0.1"),
    Route("0.0.0.0/0", "10.99.0.1"),
    Route("169.254.169.254/32", "10.99.0.1"),
)
ROUTE_BYTES = bytes(
    [32, 168, 63, 129, 16, 10, 99, 0, 1, 0, 10, 99, 0, 1, 32, 169, 254, 169, 254, 10, 99, 0, 1]
)
# What the real clients wrote when a server gave them the same lease.
DHCLIENT = b"""lease {
  interface "eth7";
  fixed-address 10.99.0.92;
  option subnet-mask 255.255.255.0;
  option routers 10.99.0.1;
  option dhcp-lease-time 3600;
  option dhcp-message-type 5;
  option dhcp-server-identifier 10.99.0.1;
  option dhcp-renewal-time 1800;
  option unknown-245 a8:3f:81:10;
  option rfc3442-classless-static-routes 32,168,63,129,16,10,99,0,1,0,10,99,0,1,\
32,169,254,169,254,10,99,0,1;
  option broadcast-address 10.99.0.255;
  option dhcp-rebinding-time 3150;
  option host-name "vm";
  option unknown-249 20:a8:3f:81:10:a:63:0:1;
  renew 1 2026/11/23 03:58:50;
  rebind 1 2026/11/23 04:22:00;
  expire 1 2026/11/23 04:29:30;
}
"""
NETWORKD = b"""# This is private data. Do not parse.
ADDRESS=10.99.0.92
NETMASK=255.255.255.0
ROUTER=10.99.0.1
SERVER_ADDRESS=10.99.0.1
T1=1800
T2=3150
LIFETIME=3600
HOSTNAME=vm
CLASSLESS_ROUTES=168.63.129.16/32,10.99.0.1 0.0.0.0/0,10.99.0.1 169.254.169.254/32,10.99.0.1
CLIENTID=012aebd9692dcd
OPTION_245=a83f8110
"""
# The answer of networkd 262 to io.systemd.Network.Describe, without what lightinit does not read.
NETWORKD_JSON = b"""{"Interfaces":[{"Index":1,"Name":"lo","Type":"loopback","Addresses":[{\
"Family":2,"Address":[127,0,0,1],"ConfigSource":"foreign"}]},{"Index":2,"Name":"eth7","Type":"ether",\
"Addresses":[{"Family":2,"AddressString":"10.99.0.92","Address":[10,99,0,92],"PrefixLength":24,\
"ConfigSource":"DHCPv4"}],"DHCPv4Client":{"Lease":{"LeaseTimestampUSec":46090420112,\
"Timeout1USec":47890420112,"Hostname":"vm","Message":{"op":2,"htype":1,"yiaddr":"0a63005c",\
"siaddr":"0a630001","options":[{"tag":1,"data":"ffffff00"},{"tag":3,"data":"0a630001"},\
{"tag":51,"data":"00000e10"},{"tag":53,"data":"05"},{"tag":54,"data":"0a630001"},\
{"tag":121,"data":"20a83f81100a630001000a63000120a9fea9"},{"tag":121,"data":"fe0a630001"},\
{"tag":245,"data":"a83f8110"}]}},"PrivateOptions":[{"Option":245,"PrivateOptionData":"a83f8110"}],\
"ClientIdentifier":[1,82,183,125,76,78,48]}}],"RoutingPolicyRules":[]}"""
NM_DEVICE = b"""[device]
managed=true
perm-hw-addr-fake=EE:0A:B6:CA:A5:02
connection-uuid=11111111-2222-3333-4444-555555555555
next-server=10.99.0.1

[dhcp4]
dhcp4.dhcp_lease_time=3600
dhcp4.expiry=1795407207
dhcp4.ip_address=10.99.0.92
dhcp4.private_245=a8:3f:81:10
dhcp4.rfc3442_classless_static_routes=168.63.129.16/32 10.99.0.1 \
0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
dhcp4.routers=10.99.0.1
"""
NM_INTERNAL = b"# This is private data. Do not parse.\nADDRESS=10.99.0.92\n"
NMCLI = b"""GENERAL.DEVICE:                         eth7
DHCP4.OPTION[1]:                        dhcp_lease_time = 3600
DHCP4.OPTION[2]:                        expiry = 1795407207
DHCP4.OPTION[3]:                        ip_address = 10.99.0.92
DHCP4.OPTION[4]:                        private_245 = a8:3f:81:10
DHCP4.OPTION[5]:                        requested_routers = 1
DHCP4.OPTION[6]:                        rfc3442_classless_static_routes = 168.63.129.16/32 \
10.99.0.1 0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
DHCP4.OPTION[7]:                        routers = 10.99.0.1

GENERAL.DEVICE:                         lo

"""
UDHCPC = b"""interface=eth7
ip=10.99.0.92
opt245=a83f8110
router=10.99.0.1
staticroutes=168.63.129.16/32 10.99.0.1 0.0.0.0/0 10.99.0.1 169.254.169.254/32 10.99.0.1
lease=3600
"""
# From wicked's source (src/leasefile.c): Debian has no wicked to write it.
WICKED = b"""<lease>
  <family>ipv4</family>
  <type>dhcp</type>
  <owner>eth7</owner>
  <uuid>7c576658-66c0-0e00-fc01-000004000000</uuid>
  <state>granted</state>
  <acquired>1795403607</acquired>
  <update>0x0000ffff</update>
  <ipv4:dhcp>
    <client-id>01:2a:eb:d9:69:2d:cd</client-id>
    <server-id>10.99.0.1</server-id>
    <lease-time>3600</lease-time>
    <renewal-time>1800</renewal-time>
    <rebind-time>3150</rebind-time>
    <hostname>vm</hostname>
    <address>10.99.0.92</address>
    <netmask>255.255.255.0</netmask>
    <broadcast>10.99.0.255</broadcast>
    <routes>
      <route>
        <destination>168.63.129.16/32</destination>
        <nexthop>
          <gateway>10.99.0.1</gateway>
        </nexthop>
      </route>
      <route>
        <nexthop>
          <gateway>10.99.0.1</gateway>
        </nexthop>
      </route>
      <route>
        <destination>169.254.169.254/32</destination>
        <nexthop>
          <gateway>10.99.0.1</gateway>
        </nexthop>
      </route>
    </routes>
    <dns>
      <server>168.63.129.16</server>
    </dns>
    <options>
      <unknown-245>
        <code>245</code>
        <data>a8:3f:81:10</data>
      </unknown-245>
    </options>
  </ipv4:dhcp>
</lease>
"""


def packet(
    *options: Tuple[int, bytes],
    address: str = "10.99.0.92",
    file: bytes = b"",
    sname: bytes = b"",
    end: bytes = b"\xff",
) -> bytes:
    """A BOOTP reply with these options."""
    head = bytes([2, 1, 6, 0]) + bytes(12) + socket.inet_aton(address) + bytes(24)
    body = b"".join(bytes([code, len(value)]) + value for code, value in options)
    return head + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + b"\x63\x82\x53\x63" + body + end


ACK = (53, b"\x05")
WIRESERVER = (245, bytes([168, 63, 129, 16]))
DHCPCD = packet(
    ACK, (51, (3600).to_bytes(4, "big")), (3, bytes([10, 99, 0, 1])), (121, ROUTE_BYTES), WIRESERVER
)
REAL: Dict[str, Tuple[str, bytes]] = {
    "dhclient": ("dhclient", DHCLIENT),
    "networkd": ("networkd", NETWORKD),
    "networkd-json": ("networkd", NETWORKD_JSON),
    "dhcpcd": ("dhcpcd", DHCPCD),
    "nm-device": ("networkmanager", NM_DEVICE),
    "nm-internal": ("networkmanager", NM_INTERNAL),
    "nmcli": ("networkmanager", NMCLI),
    "udhcpc": ("udhcpc", UDHCPC),
    "wicked": ("wicked", WICKED),
}


def dhclient_with(option: bytes) -> Lease:
    """The lease in a dhclient file with this option line, and another after it that must not be
    lost.
    """
    data = (
        b'lease {\n  interface "eth0";\n  fixed-address 10.0.0.4;\n  '
        + option
        + b"\n  option routers 10.0.0.1;\n  expire never;\n}\n"
    )
    leases = read_leases("dhclient", data, NOW_S)
    assert len(leases) == 1
    assert (leases[0].address, leases[0].routers) == ("10.0.0.4", ("10.0.0.1",))
    return leases[0]
