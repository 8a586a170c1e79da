"""Where DHCP clients are, the configuration files that they read, and programs that find their
leases or rename their machine.
"""

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


# The network that the local stage finds, and each lease that it can read; arguments: seconds to
# wait, seconds of grace.
FIND = """
import json, logging, sys, time
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.formats.dhcp.clients import read_leases
from lightinit.formats.records import to_data
from lightinit.host.dhcp.lease_files import lease_files
from lightinit.host.system import System
from lightinit.stages.network import find_network
system = System("/")
source = AzureDatasource(system, {})
found = find_network(system, source, float(sys.argv[1]), float(sys.argv[2]))
leases = [to_data(lease) for file in lease_files(system) for lease in read_leases(
    file.client, file.data, time.time(), file.path, file.interface, file.written_s)]
print(json.dumps({"network": to_data(found), "leases": leases}))
"""


# The module hostname by itself; arguments: the new name, settings as JSON. SYSTEMCTL stands in for
# systemctl beside service_manager.py.
MODULE = """
import json, logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from lightinit.formats.records import to_data
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import hostname
from lightinit.settings.shipped import SHIPPED
settings = {setting.key: setting.default for setting in SHIPPED["hostname"].settings}
settings.update(json.loads(sys.argv[2]))
instance = Instance("id", hostnames=(sys.argv[1],))
outcome = hostname.apply(instance, System("/"), settings)
if outcome.rest is not None:  # the clients send the name beside the next modules
    outcome = outcome.rest.finish()
data = to_data(outcome)
del data["rest"]
print(json.dumps(data))
"""
SYSTEMCTL = """#!/bin/sh
echo "$@" >>/run/systemctl.log
[ "$*" = "restart --no-block --job-mode=ignore-dependencies systemd-networkd.service" ] || exit 1
: >/run/manager/restart
"""
