"""The whole platform: its servers, one machine, one scenario. Tests and the command line use this.

``player.py`` decides which answer and which fault a request gets. ``server.py`` reads and sends
HTTP; ``wireserver.py``, ``imds.py`` and ``host_plugin.py`` know what requests mean.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from lightinit.emulator.certificates.bundles import Certificates, Source
from lightinit.emulator.certificates.pairs import thumbprint
from lightinit.emulator.certificates.pkcs12 import Pair
from lightinit.emulator.documents.health_report import is_progress
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.player import Player, Role
from lightinit.emulator.scenario import load_scenario
from lightinit.emulator.services.host_plugin import HostPlugin
from lightinit.emulator.services.imds import Imds
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.services.reprovision import Ovf, Pool, give_owner
from lightinit.emulator.services.wireserver import WireServer
from lightinit.emulator.wire.faults import FOREVER
from lightinit.emulator.wire.request_log import RequestLog, count_round_trips
from lightinit.emulator.wire.server import CONNECTIONS, NEVER_S, Server

SETTLE_S = 10.0
Address = Tuple[str, int]


class Platform:
    """The Azure platform on two or three addresses; use it in a ``with`` statement.

    Args:
        scenario: a shipped scenario's name, a file's path, or a scenario's data.
        instance: parts of the IMDS document; merged into the scenario's and the shipped one.
        latency_s: seconds to wait once per connection and once per request; see ``Server``.
        wireserver: host and port of the WireServer; port 0 means any free port.
        imds: the same for IMDS.
        log: a file; each request is appended as a JSON line. None for no file.
        certificates: the VM's certificates. ``auto`` makes some; a path is a PEM file or a
            directory of such files; pairs are PEM texts of a certificate and its key (or None).
            With None, the scenario's ``certificate_options`` decide. Certificates need the
            program openssl.
        on_pool_ready: called once without arguments, in its own thread, after a preprovisioned VM
            without an owner has reported Ready and received the answer.
        host_plugin: host and port of the HostGAPlugin, which guest agents use; None for a host
            without one.
        most_connections: how many connections each server has at once; the next ones get 503.

    Raises:
        ScenarioError: the scenario is not valid.
    """

    def __init__(
        self,
        scenario: str | Mapping[str, Any] = "good",
        instance: Optional[Mapping[str, Any]] = None,
        latency_s: float = 0.0,
        wireserver: Address = ("127.0.0.1", 0),
        imds: Address = ("127.0.0.1", 0),
        log: Optional[str] = None,
        certificates: Optional[Source] = None,
        on_pool_ready: Optional[Callable[[], Any]] = None,
        host_plugin: Optional[Address] = None,
        most_connections: int = CONNECTIONS,
    ) -> None:
        self._most_connections = most_connections
        self.scenario = load_scenario(scenario)
        self.machine = Machine(*self._overrides(instance))
        self._certificates = Certificates(certificates, self.scenario.certificate_options)
        self._roles: Dict[str, Role] = {
            "wireserver": WireServer(
                self.machine, self.scenario.wireserver_versions, self._certificates
            ),
            "imds": Imds(self.machine, self.scenario.api_versions),
        }
        self._addresses = {"wireserver": wireserver, "imds": imds}
        if host_plugin is not None:
            self._roles["hostplugin"] = HostPlugin(self.machine)
            self._addresses["hostplugin"] = host_plugin
        self._latency_s = latency_s
        self._log_path = log
        self._log = RequestLog()
        self._servers: List[Server] = []
        self._pool = Pool(
            self.machine,
            on_pool_ready,
            self.scenario.assign,
            self.scenario.assign_after_s,
            lambda: self.wait_for(lambda it: it.in_flight == 0, SETTLE_S),
        )
        self._player = Player(
            self.scenario.steps, self._pool.notice, self._fill, self.scenario.rate_limit
        )

    def _overrides(self, instance: Optional[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
        """The parts that are merged into the shipped IMDS document, in order."""
        kind = self.scenario.preprovisioned
        pool = {"extended": {"compute": {"ppsType": kind}}} if kind else {}
        return [pool, self.scenario.instance, instance or {}]

    def __enter__(self) -> "Platform":
        self.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def start(self) -> None:
        """Take the addresses and listen.

        Raises:
            EmulatorError: an address cannot be used, the log cannot be written, or the certificates
                cannot be made or read.
        """
        self._certificates.prepare()
        self._log = RequestLog(self._log_path)
        try:
            for name, role in self._roles.items():
                server = Server(
                    name,
                    partial(self._player.play, role),
                    self._log,
                    self._latency_s,
                    self._most_connections,
                )
                self._servers.append(server)
                role.authority = server.bind(self._addresses[name])
            for server in self._servers:
                delay = self.scenario.listen_after_s.get(server.name, 0)
                server.start(NEVER_S if delay == FOREVER else float(delay))
        except EmulatorError:
            self.close()
            raise

    def close(self) -> None:
        """End all connections and free the addresses, in less than 0.2 s.

        The records stay readable.
        """
        self._pool.close()
        for server in self._servers:
            server.close()
        self._servers = []
        self._log.close()

    @property
    def wireserver(self) -> str:
        """The WireServer's "host:port"."""
        return self._roles["wireserver"].authority

    @property
    def imds(self) -> str:
        """The "host:port" of IMDS."""
        return self._roles["imds"].authority

    @property
    def host_plugin(self) -> str:
        """The "host:port" of the HostGAPlugin, "" if there is none."""
        return self._roles["hostplugin"].authority if "hostplugin" in self._roles else ""

    @property
    def requests(self) -> List[Dict[str, Any]]:
        """Copies of the records of all requests, in order of arrival.

        The keys are those of the log file.
        """
        return self._log.snapshot()

    @property
    def connections(self) -> List[Dict[str, Any]]:
        """Copies of the records of all connections, in order: ``server``, ``client``,
        ``connection`` and ``opened`` as in :attr:`requests`. It has those without requests, too.
        """
        return self._log.snapshot_connections()

    @property
    def round_trips(self) -> List[int]:
        """How many round trips each of the :attr:`requests` has cost at most, one after the
        other, counted from the first connection on.
        """
        return count_round_trips(self.requests)

    @property
    def health_reports(self) -> List[Dict[str, Any]]:
        """The reports that reached the WireServer, accepted or not, in order.

        Each has accepted, status, reason, state, substatus, description, incarnation, container_id,
        role_instance_id, agent, vm_id, in_pool (of a preprovisioned VM without an owner) and
        time_s. If a fault answers a POST, the report is missing here, unless the step has
        ``processed``.
        """
        return self.machine.reports

    @property
    def final_reports(self) -> List[Dict[str, Any]]:
        """The :attr:`health_reports` without reports of progress (NotReady with SubStatus
        Provisioning).
        """
        return [report for report in self.health_reports if not is_progress(report)]

    @property
    def ready_count(self) -> int:
        """How many Ready reports were accepted."""
        return self.machine.count_ready()

    @property
    def is_provisioned(self) -> bool:
        """Whether a Ready report was accepted from a VM that does not wait for an owner."""
        return self.machine.count_ready(in_pool=False) > 0

    @property
    def certificates(self) -> List[Pair]:
        """The VM's certificates: pairs of PEM with ``certificate``, and ``key`` or None."""
        return list(self._certificates.pairs)

    @property
    def thumbprints(self) -> List[str]:
        """The thumbprints of :attr:`certificates`, in order, as in ``Fingerprint`` of
        ovf-env.xml.
        """
        return [thumbprint(pair) for pair in self._certificates.pairs]

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return self._log.in_flight

    @property
    def incarnation(self) -> int:
        """The goal state's current incarnation."""
        return self.machine.incarnation

    def set_incarnation(self, incarnation: int) -> None:
        """Change the goal state's incarnation, as the platform does when the VM's configuration
        changes.
        """
        with self.machine.lock:
            self.machine.incarnation = incarnation

    def become(self, instance: Optional[Mapping[str, Any]] = None) -> None:
        """Play another VM from now on.

        Args:
            instance: parts of its IMDS document; another ``compute.vmId`` changes the ids in the
                goal state. Records and reports are kept; fault sequences continue.
        """
        self.machine.become(*self._overrides(instance))

    def assign(
        self,
        ovf: Ovf,
        instance: Optional[Mapping[str, Any]] = None,
        imds_after_s: float | str = 0,
    ) -> None:
        """Give a preprovisioned VM its owner: from now on, IMDS has reprovision data and describes
        the owner's VM.

        Args:
            ovf: the reprovision data: a whole ovf-env.xml, or the arguments of ``make_ovf`` by
                name.
            instance: parts of the IMDS document; merged into the VM's.
            imds_after_s: how many seconds IMDS still describes the pool, or "forever".

        Raises:
            EmulatorError: a field of ``ovf`` is not valid.
        """
        give_owner(self.machine, ovf, instance, imds_after_s)

    def wait_for(
        self, predicate: Callable[["Platform"], Any], timeout_s: Optional[float] = 60.0
    ) -> bool:
        """Wait until a condition holds; it is checked when a request comes or is answered.

        Args:
            predicate: takes this platform.
            timeout_s: seconds to wait at most; None means no limit.

        Returns:
            whether it holds.
        """
        with self._log.changed:
            return bool(self._log.changed.wait_for(lambda: predicate(self), timeout_s))

    def _fill(self, text: str) -> str:
        return text.replace("{imds}", self.imds).replace("{wireserver}", self.wireserver)
