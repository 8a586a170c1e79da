"""The base class of the datasources. A datasource identifies this VM, fetches its data from the
platform, and reports the result of provisioning to it.

Every method but :meth:`Datasource.fetch` has a default that means "none". A datasource overrides
what its platform has. docs/datasources.md tells how to write one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, Optional, Tuple

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.instance_id import normalise_uuid
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import Instance, Lease, NamedTuple, Network
from lightinit.settings import Setting

if TYPE_CHECKING:
    from lightinit.host.network.http import OnRequest


class Anchor(NamedTuple):
    """Something on a machine whose content names the instance.

    Attributes:
        kind: ``file`` (of at most 64 KiB) or ``volume``.
        name: the file's path, or the volume's label.
    """

    kind: str
    name: str


PRODUCT_UUID = Anchor("file", "/sys/class/dmi/id/product_uuid")


def anchor_by_uuid(system: System) -> Tuple[Anchor, ...]:
    """DMI's product_uuid, which each VM has for itself. None if the firmware has no usable one: a
    clone would look like the first VM, so each boot has to ask.
    """
    if normalise_uuid(read_dmi(system).product_uuid) is None:
        return ()
    return (PRODUCT_UUID,)


class Datasource:
    """One platform, as this VM sees it. Each run of lightinit makes one object.

    Args:
        system: the machine.
        options: the values of the datasource's section in the settings; a missing key has the
            default of ``SETTINGS``.
        on_request: the datasource calls it after each HTTP request; see
            :class:`lightinit.host.network.http.HttpTransport`.

    Attributes:
        SETTINGS: the keys of its section. The section is named as the module, in lower case.
        NEEDS_NETWORK: whether :meth:`fetch` or a report needs the network. If not, lightinit does
            not wait for a lease.
        REPORTS: whether the platform takes reports.
        NOT_HERE: the text for the log if this machine is not on the platform.
        ADDRESSES: the platform's well-known IPv4 addresses. The interface with routes to them is
            the primary one. The first is the server's address if the lease names none.
        SERVER: the platform's name for the server at that address, for the log.
        LATER: modules that its methods import only when they need them, and that are imported
            while the network is waited for.
        LEASE_OPTION: the DHCP option that names the server, for the log; see :meth:`server_in`.
        pool_type: the kind of pool in which this VM waits for an owner, "" for none; known after
            :meth:`fetch`.
        check_failure: called while a report of failure is tried: between attempts, and right before
            one is sent. It raises :class:`lightinit.errors.OvertakenError` if the failure has gone;
            the datasource lets that pass.
        while_waiting: called while :meth:`fetch` waits for an answer, in its thread: time to import
            what comes later. No other thread may import meanwhile.
        may_use_libraries: whether a report may use libraries that are not Python's own. False if
            one of them may be what hangs or crashes.
        documents: files for operators, name -> content without secrets; known after :meth:`fetch`.
    """

    SETTINGS: Tuple[Setting, ...] = ()
    NEEDS_NETWORK = True
    REPORTS = False
    NOT_HERE = "this machine is not on the datasource's platform"
    ADDRESSES: Tuple[str, ...] = ()
    SERVER = ""
    LATER: Tuple[str, ...] = ()
    LEASE_OPTION = ""

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        self.system = system
        self.options: Dict[str, Any] = {setting.key: setting.default for setting in self.SETTINGS}
        self.options.update(options)
        self.on_request = on_request
        self.check_failure: Callable[[], None] = lambda: None
        self.while_waiting: Callable[[], None] = lambda: None
        self.may_use_libraries = True
        self.pool_type = ""
        self.documents: Dict[str, bytes] = {}

    @staticmethod
    def check_settings(system: System, options: Mapping[str, Any]) -> Iterable[Tuple[str, str]]:
        """The mistakes in this datasource's settings, for ``lightinit config``: (key, what is wrong
        and what to do). Nothing may be changed.
        """
        return ()

    # Which platform, which instance.

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """Whether this machine is on the platform. This needs no network.

        Returns:
            None if only the network can tell: then lightinit calls :meth:`confirm_platform`. The
            default is True, since the settings name this datasource.
        """
        return True

    def why_unusable(self) -> str:
        """Why what shows this platform is of no use, such as a damaged volume; "" if it is of use.
        Asked only if another datasource has a sign, too: then that one is taken instead.
        """
        return ""

    def confirm_platform(self, network: Network) -> None:
        """Check that the network is the platform's. Called if :meth:`is_this_platform` gave None.

        Raises:
            ProvisioningError: nothing shows that it is.
        """

    def instance_id(self, dmi: Dmi) -> str:
        """The instance id, "" if it is unknown without a network.

        A new id makes everything run again. It may have letters, digits, ``-``, ``_`` and ``.``.
        It must be cheap, and must not raise: later boots call it, too. If it gives "", but all
        :meth:`anchors` are as they were, the id of then counts. The default is DMI's product_uuid.
        """
        return normalise_uuid(dmi.product_uuid) or ""

    def anchors(self) -> Tuple[Anchor, ...]:
        """What on this machine names the instance. While all of it is as it was, later boots need
        not ask for the instance id. Called after :meth:`fetch`, and in later boots.

        Returns:
            Nothing if DMI's product_uuid is the instance id, or if each boot is to ask.
        """
        return ()

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """Ask the platform for the instance id. Called after :meth:`connect` if :meth:`instance_id`
        gave "".

        Returns:
            The id; and warnings, one sentence each.

        Raises:
            ProvisioningError: there is none.
        """
        raise ProvisioningError("instance id is unknown", datasource=type(self).__name__)

    # The network.

    def begin(self) -> None:
        """Start work that needs no network, such as a search of the disks. It must not wait."""

    def server_in(self, lease: Lease) -> Optional[str]:
        """The address of the platform's server that ``lease`` names, None if it names none."""
        return None

    def connect(self, network: Network) -> None:
        """Use ``network`` from now on. A VM that gets an owner may move to another one.

        Raises:
            ProvisioningError: the options and the network do not go together.
        """

    def connect_blindly(self) -> None:
        """Prepare a last, brief report although no network was found: it may still arrive."""

    def describe(self) -> str:
        """The server that is used, for the log; "" if there is none."""
        return ""

    # The data.

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Fetch everything that the platform says about this VM.

        Args:
            instance_id: goes into the instance.
            announce: whether to tell the platform that this VM is at work.

        Returns:
            The instance; and warnings, one sentence each.

        Raises:
            ProvisioningError: the platform did not give enough data for an account.
        """
        raise NotImplementedError

    def fetch_offline(self, instance_id: str) -> Optional[Instance]:
        """The data that are known without a network, for a login at the console.

        Returns:
            An instance with an admin, or None.
        """
        return None

    def has_late_media(self) -> bool:
        """Whether media on this machine give by now what the last :meth:`fetch` lacked. It must not
        wait.
        """
        return False

    def answers_now(self) -> bool:
        """Whether the platform gives by now what the last :meth:`fetch` lacked. It must take a few
        seconds at most.
        """
        return False

    # The report. It is made only if REPORTS is true.

    def report(
        self, failure: Optional[LightinitError], instance: Optional[Instance]
    ) -> Tuple[str, ...]:
        """Report the result of provisioning to the platform.

        Args:
            failure: why this VM is not ready; None if it is.
            instance: what was fetched, in this boot or an earlier one; None if nothing was.

        Returns:
            Warnings about problems beside the report itself.

        Raises:
            LightinitError: the platform did not accept the report.
        """
        return ()

    # VMs that are made before they have an owner. Called only if pool_type is not "".

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        """Tell the platform that this VM is ready to get an owner.

        Args:
            before: called right before each report is sent.
            is_enough: called between attempts. Its argument is whether the answer to a report has
                been lost so far. If it returns True, the attempts end.

        Returns:
            True if the platform accepted the report, False if ``is_enough`` ended the attempts.

        Raises:
            ProvisioningError: the platform did not accept the report.
        """
        return True

    def is_taken_at_report(self) -> bool:
        """Whether the platform may take away the VM's NIC before it has answered the report."""
        return False

    def find_owner(self) -> bool:
        """Ask once whether this VM has an owner, and keep the owner's data. Returns False after an
        error.
        """
        return False

    def owner_poll_s(self) -> float:
        """The seconds to wait between two calls of :meth:`find_owner`."""
        return 10.0

    def adopt_owner(self) -> None:
        """Let the next :meth:`fetch` use the owner's data instead of the pool's. From now on
        ``pool_type`` is "".
        """
