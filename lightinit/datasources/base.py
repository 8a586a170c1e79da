"""What a datasource is: a class that says who this VM is and what it should become, and that tells
its platform how provisioning went.

Every method but :meth:`Datasource.fetch` has a default that means "none": a datasource overrides
what its platform has. docs/datasources.md tells how to write one.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.instance_id import normalise_uuid
from lightinit.host.dmi import Dmi
from lightinit.host.network.http import OnRequest
from lightinit.host.system import System
from lightinit.model import Instance, Lease, Network
from lightinit.settings import Setting


class Datasource:
    """One platform, as one VM sees it. lightinit makes one object in each run and keeps it.

    Args:
        system: the machine.
        options: the values of the datasource's section in the settings; a key that is absent has
            the default of ``SETTINGS``.
        on_request: to be called after each HTTP request; see
            :class:`lightinit.host.network.http.HttpTransport`.

    Attributes:
        SETTINGS: the keys of its section. The section is named as the module, in lower case.
        NEEDS_NETWORK: whether :meth:`fetch` or a report needs the network. If not, nobody waits
            for a lease.
        REPORTS: whether there is somebody to report to.
        NOT_HERE: why nothing is done on a machine that is not on this platform; for the log.
        ADDRESSES: the platform's well-known IPv4 addresses. The interface with routes to them is
            the primary one. The first is used where the lease names no server.
        SERVER: what the platform calls the server at that address, for the log.
        LEASE_OPTION: the DHCP option that names the server, for the log; see :meth:`server_in`.
        pool_type: the kind of pool in which this VM waits for an owner, "" for none; known after
            :meth:`fetch`.
        documents: files for people, name -> content without secrets; known after :meth:`fetch`.
    """

    SETTINGS: Tuple[Setting, ...] = ()
    NEEDS_NETWORK = True
    REPORTS = False
    NOT_HERE = "this machine is not on the datasource's platform"
    ADDRESSES: Tuple[str, ...] = ()
    SERVER = ""
    LEASE_OPTION = ""

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        self.system = system
        self.options: Dict[str, Any] = {setting.key: setting.default for setting in self.SETTINGS}
        self.options.update(options)
        self.on_request = on_request
        self.pool_type = ""
        self.documents: Dict[str, bytes] = {}

    # Which platform, which instance.

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """Whether this machine is on the platform, as far as that is clear without a network.

        Returns:
            None if only the network can tell: then :meth:`confirm_platform` is asked. The default
            is True, since the settings name this datasource.
        """
        return True

    def confirm_platform(self, network: Network) -> None:
        """Look whether the network is the platform's, after :meth:`is_this_platform` gave None.

        Raises:
            ProvisioningError: nothing shows that it is.
        """

    def instance_id(self, dmi: Dmi) -> str:
        """The instance id, as far as it is known without a network; "" if not.

        A new id makes everything run again. Letters, digits, ``-``, ``_`` and ``.`` may be in it.
        The default is DMI's product_uuid.
        """
        return normalise_uuid(dmi.product_uuid) or ""

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """Ask for the instance id, after :meth:`instance_id` gave "" and :meth:`connect` was
        called.

        Returns:
            The id; and warnings, one sentence each.

        Raises:
            ProvisioningError: there is none.
        """
        raise ProvisioningError("instance id is unknown", datasource=type(self).__name__)

    # The network.

    def begin(self) -> None:
        """Start what needs no network, such as a search through the disks. It must not wait."""

    def server_in(self, lease: Lease) -> Optional[str]:
        """The address of the platform's server that ``lease`` names, None if it names none."""
        return None

    def connect(self, network: Network) -> None:
        """Use ``network`` from now on. A VM that gets an owner may move to another one.

        Raises:
            ProvisioningError: the options and the network do not go together.
        """

    def connect_blindly(self) -> None:
        """Prepare a last, brief report, although no network was found: there may be one after
        all.
        """

    def describe(self) -> str:
        """What of the network is used, for the log; "" if there is nothing to say."""
        return ""

    # The data.

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Get all that the platform says about this VM.

        Args:
            instance_id: goes into the instance.
            announce: whether to tell the platform that this VM is at work.

        Returns:
            The instance; and warnings, one sentence each.

        Raises:
            ProvisioningError: the platform did not say enough to make an account.
        """
        raise NotImplementedError

    def fetch_offline(self, instance_id: str) -> Optional[Instance]:
        """What is known without a network, for a login at the console.

        Returns:
            An instance with an admin, or None.
        """
        return None

    # The report. It is made only if REPORTS is true.

    def report(
        self, failure: Optional[LightinitError], instance: Optional[Instance]
    ) -> Tuple[str, ...]:
        """Tell the platform how provisioning went.

        Args:
            failure: why this VM is not ready; None if it is.
            instance: what was fetched, in this boot or an earlier one; None if nothing was.

        Returns:
            Warnings about what belongs to a report and went wrong.

        Raises:
            LightinitError: the platform has not accepted the report.
        """
        return ()

    # VMs that are made before they have an owner. Asked only if pool_type is not "".

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        """Tell the platform that this VM is ready to get an owner.

        Args:
            before: called right before each report is sent.
            is_enough: called between attempts, with whether the answer to a report was lost by
                then; True ends the attempts.

        Returns:
            Whether the platform has accepted it; False if ``is_enough`` ended the attempts.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        return True

    def is_taken_at_report(self) -> bool:
        """Whether the platform may take the VM's NIC away before it has answered the report."""
        return False

    def find_owner(self) -> bool:
        """Ask once whether this VM has an owner by now, and keep what the platform says of the
        owner. Trouble means no.
        """
        return False

    def owner_poll_s(self) -> float:
        """How many seconds to wait between two such questions."""
        return 10.0

    def adopt_owner(self) -> None:
        """Let the next :meth:`fetch` use what :meth:`find_owner` has kept, in the place of what
        was known of the pool. From now on ``pool_type`` is "".
        """
