"""Where DHCP clients are, and the configuration files that they read."""

from __future__ import annotations

NETWORKD = "/lib/systemd/systemd-networkd"


NETWORK_FILE = """[Match]
Name=eth7
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
"""


CONNECTION = """[connection]
id=eth7
uuid=11111111-2222-3333-4444-555555555555
type=ethernet
interface-name=eth7
[ipv4]
method=auto
[ipv6]
method=disabled
"""


NM_CONFIGURATION = """[main]
plugins=keyfile
dhcp=internal
[device-all]
managed=1
"""
