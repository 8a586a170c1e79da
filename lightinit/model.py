"""The values that stages and modules exchange. They are frozen, and can be written as JSON. Their
repr leaves out the secrets.

The decorator dataclass takes a hundred times as long for each class as our NamedTuple, and its
module imports half of the compiler. So a first boot uses neither.

This file knows no format, no host and no protocol.
"""

from __future__ import annotations

import enum
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Dict, Iterable, Optional, Tuple

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _NamedFields(type):
        """Makes the fields of a class from its annotations, and their defaults from its values."""

        def __new__(
            mcs, name: str, bases: Tuple[type, ...], namespace: Dict[str, Any]
        ) -> "_NamedFields":
            if tuple not in bases and not any("_fields" in vars(base) for base in bases):
                fields = tuple(namespace["__annotations__"])
                namespace["_fields"] = fields
                namespace["_field_defaults"] = {
                    field: namespace[field] for field in fields if field in namespace
                }
                for position, field in enumerate(fields):
                    namespace[field] = property(itemgetter(position))
            namespace["__slots__"] = ()
            return super().__new__(mcs, name, bases, namespace)

    class NamedTuple(tuple, metaclass=_NamedFields):
        """``NamedTuple`` as :mod:`typing` has it, for a tenth of its cost.

        That one compiles a constructor for each class, and the annotation of each field. A first
        boot makes more than a hundred such classes. Type checkers see the original. The file of
        such a class must begin with ``from __future__ import annotations``.
        """

        def __new__(cls, *values: Any, **named: Any) -> "NamedTuple":
            """Make one from its values, by position or by name."""
            if named or len(values) != len(cls._fields):
                rest = cls._fields[len(values) :]
                if len(values) > len(cls._fields) or not named.keys() <= set(rest):
                    raise TypeError("%s() got a value too many" % cls.__name__)
                given = {**cls._field_defaults, **named}
                lacking = [field for field in rest if field not in given]
                if lacking:
                    raise TypeError("%s() lacks %s" % (cls.__name__, ", ".join(lacking)))
                values += tuple(given[field] for field in rest)
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values: Iterable[Any]) -> "NamedTuple":
            return cls(*values)

        def _replace(self, **named: Any) -> "NamedTuple":
            return type(self)(**{**self._asdict(), **named})

        def _asdict(self) -> Dict[str, Any]:
            return dict(zip(self._fields, self))

        def __getnewargs__(self) -> Tuple[Any, ...]:
            return tuple(self)

        def __repr__(self) -> str:
            shown = ["%s=%r" % each for each in self._asdict().items()]
            return "%s(%s)" % (type(self).__name__, ", ".join(shown))


def repr_without(record: Any, *secrets: str) -> str:
    """The repr of a NamedTuple without some of its fields.

    Args:
        record: the NamedTuple.
        secrets: the names of the fields that are left out.
    """
    shown = zip(record._fields, record)
    return "%s(%s)" % (
        type(record).__name__,
        ", ".join("%s=%r" % (name, value) for name, value in shown if name not in secrets),
    )


class Frequency(enum.Enum):
    """How often a step runs."""

    INSTANCE = "instance"  # once per instance id
    BOOT = "boot"  # every boot
    ONCE = "once"  # once in the life of the disk, image copies included


class Route(NamedTuple):
    """A classless route: ``destination`` as ``address/prefix length``, ``gateway`` as an
    address.
    """

    destination: str
    gateway: str


class Lease(NamedTuple):
    """One DHCP lease as its client wrote it down.

    Attributes:
        client: the client that wrote it, by its name in the table ``formats/dhcp/clients.py``.
        address: the leased IPv4 address, "" if the file does not say.
        interface: the interface's name, None if neither the file nor its name says.
        wireserver: the address in option 245, None if the lease has no such option.
        routers: the default gateways, in order.
        routes: classless routes of option 121 (or 249).
        expires_s: Unix time in seconds at which the lease ends; None if it never ends, or if the
            file does not say.
        source: the path of the file inside the root.
    """

    client: str
    address: str
    interface: Optional[str] = None
    wireserver: Optional[str] = None
    routers: Tuple[str, ...] = ()
    routes: Tuple[Route, ...] = ()
    expires_s: Optional[float] = None
    source: str = ""


class Network(NamedTuple):
    """What the local stage found: the primary interface, and where the platform's server is.

    Attributes:
        server: address of the platform's server, without a port; "" if the platform has none.
        interface: name of the primary interface, "" if unknown or not needed.
        address: its IPv4 address, "" if unknown or not needed.
        client: the DHCP client whose lease was read, "" if there was none.
        source: the lease's file, or how else the network was found.
        server_from_lease: whether ``server`` is from the lease; if not, it is the well-known
            address.
        warnings: what an operator should know about it.
    """

    server: str = ""
    interface: str = ""
    address: str = ""
    client: str = ""
    source: str = ""
    server_from_lease: bool = False
    warnings: Tuple[str, ...] = ()


# Field of Network -> its key in network.json. The keys are older than the second datasource.
NETWORK_KEYS = {"server": "wireserver", "server_from_lease": "option_245"}


class SshKey(NamedTuple):
    """A public key as the platform gave it: ``text`` may have CRLF, several lines or an x509
    certificate.

    If ``text`` is empty, the key is in the platform's certificate with this ``fingerprint``.
    """

    text: str
    path: str = ""
    fingerprint: str = ""


class Certificate(NamedTuple):
    """A certificate that the platform has for this VM.

    Attributes:
        thumbprint: upper-case hex SHA-1 of its DER.
        certificate: as PEM.
        key: its private key as PEM (PKCS#8, not encrypted), "" if the platform gave none. A
            secret.
        had_key: whether it had a key that has been removed: lightinit removes keys once the VM is
            ready.
    """

    thumbprint: str
    certificate: str
    key: str = ""
    had_key: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "key")


class User(NamedTuple):
    """An account that the platform wants.

    Attributes:
        name: the login name, as given, not yet validated.
        ssh_keys: the keys that may log in.
        password_login: whether password login is allowed; None if the platform did not say.
        password: the account's password, "" for none. A secret.
        had_password: whether there was a password that has been removed: lightinit removes it once
            the VM is ready.
        is_default: whether the settings name it (``default_user``), since the platform names none.
            A cloud-config can then name another one, or none.
    """

    name: str
    ssh_keys: Tuple[SshKey, ...] = ()
    password_login: Optional[bool] = None
    password: str = ""
    had_password: bool = False
    is_default: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "password")


class InjectedFile(NamedTuple):
    """A file that the platform puts into the VM.

    Attributes:
        path: where, as given, not yet validated.
        content: its content in base64. A secret.
    """

    path: str
    content: str = ""

    def __repr__(self) -> str:
        return repr_without(self, "content")


class GoalState(NamedTuple):
    """The WireServer's goal state, as far as lightinit uses it. Ids are opaque text."""

    incarnation: str
    container_id: str
    role_instance_id: str
    version: str = ""
    expected_state: str = ""
    certificates_url: Optional[str] = None


class Instance(NamedTuple):
    """Everything that the platform said about this VM, from all its sources.

    Attributes:
        id: the instance id that marks belong to.
        platform: the datasource's name, such as ``azure``.
        hostnames: the host names that the platform offers, best first; not yet validated.
        admin: the admin account, None if the platform names none.
        vm_id, location, vm_size, resource_group, subscription_id, scale_set, zone: as the platform
            says, or "".
        tags: the VM's tags.
        user_data: the owner's user data in base64, or "". A secret.
        raw: the sources' own documents by source name, for ``query``; that of a platform with one
            document of metadata is ``meta_data``. May hold secrets.
        custom_data: Azure's CustomData as it is on the provisioning media, usually base64, or "".
            A secret.
        certificates: those that the settings ask for.
        public_keys: keys that the platform gives to whoever is the admin, if it names none.
        vendor_data: user data of the platform's operator in base64, or "". A secret.
        subplatform: where the data came from, such as ``seed-dir (/var/lib/cloud/seed/nocloud)``.
        files: what the platform puts into the VM.
    """

    id: str
    platform: str = ""
    hostnames: Tuple[str, ...] = ()
    admin: Optional[User] = None
    vm_id: str = ""
    location: str = ""
    vm_size: str = ""
    resource_group: str = ""
    subscription_id: str = ""
    scale_set: str = ""
    zone: str = ""
    tags: Dict[str, str] = {}
    user_data: str = ""
    raw: Dict[str, Any] = {}
    custom_data: str = ""
    certificates: Tuple[Certificate, ...] = ()
    public_keys: Tuple[SshKey, ...] = ()
    vendor_data: str = ""
    subplatform: str = ""
    files: Tuple[InjectedFile, ...] = ()

    def __repr__(self) -> str:
        return repr_without(
            self, "user_data", "raw", "custom_data", "certificates", "vendor_data", "files"
        )


class Rest:
    """The rest of a module's work, which goes on beside the next modules."""

    def finish(self) -> Outcome:
        """Wait for its end. Returns the outcome of the whole module.

        Raises:
            LightinitError: the module has failed.
        """
        raise NotImplementedError

    def give_up(self) -> None:
        """Do not wait any more: lightinit was told to stop."""


class Outcome(NamedTuple):
    """The result of a step that did not fail. A step that fails raises instead.

    Attributes:
        message: one short line for the console: what was done, in the past tense.
        warnings: what did not go as asked; the boot then ends as 'done with warnings'.
        skipped: whether there was nothing to do.
        rest: what of a module's work still goes on; its outcome counts instead of this one.
    """

    message: str = ""
    warnings: Tuple[str, ...] = ()
    skipped: bool = False
    rest: Optional[Rest] = None
