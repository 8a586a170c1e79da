"""``ovf-env.xml``, the document on the provisioning media: bytes in, checked values out. It knows
no device.

What an account hangs on is strict: a section or a field that is there twice is an error, for taking
either of the two could let the wrong one in. What a login does not hang on is a warning, and
provisioning goes on without it: a VM that nobody can reach because its custom data are not base64
would help nobody.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.accounts.passwords import is_struck_out
from lightinit.formats.azure.ovf_redaction import redact
from lightinit.model import SshKey

__all__ = ["OvfEnvironment", "parse", "redact"]

OVF_NAMESPACE = "http://schemas.dmtf.org/ovf/environment/1"
AZURE_NAMESPACE = "http://schemas.microsoft.com/windowsazure"
# Names without any namespace are taken too; what is in a foreign one is somebody else's, and passed
# over.
NAMESPACES = (AZURE_NAMESPACE, OVF_NAMESPACE, "")
LIMIT_BYTES = xml.LIMIT_BYTES
MAX_KEY = 32 * 1024
MAX_WARNINGS = 20
THUMBPRINT_DIGITS = 40
TRUE_WORDS = ("true", "1", "yes", "on")
FALSE_WORDS = ("false", "0", "no", "off")


@dataclass(frozen=True)
class OvfEnvironment:
    """What the document says.

    Attributes:
        hostname: the name that the platform wishes, not yet validated; "" for none.
        user_name: the admin account, not yet validated; "" for none.
        password: its password, exactly as given; "" for none. A secret.
        password_login: False when SSH password login is to be off, True when on, None when it is
            not said.
        custom_data: canonical base64, or, with a warning, whatever else stands there; "" for none.
            A secret.
        ssh_keys: by value, or by the fingerprint (upper-case hex SHA-1) of a certificate of the
            platform's.
        preprovisioned: whether this VM was booted before it has an owner.
        preprovisioned_type: how it then waits for its owner, such as ``Savable``; "" when it is not
            said.
        provision_guest_agent: whether the platform wishes a guest agent, None when it is not said.
        provision_guest_proxy_agent: likewise for the proxy agent.
        warnings: what is wrong and was passed over, one sentence each.
    """

    hostname: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    password_login: Optional[bool] = None
    custom_data: str = field(default="", repr=False)
    ssh_keys: Tuple[SshKey, ...] = ()
    preprovisioned: bool = False
    preprovisioned_type: str = ""
    provision_guest_agent: Optional[bool] = None
    provision_guest_proxy_agent: Optional[bool] = None
    warnings: Tuple[str, ...] = ()


def parse(data: bytes, limit_bytes: int = LIMIT_BYTES) -> OvfEnvironment:
    """Read a whole document, from the media or as IMDS' reprovision data.

    Args:
        data: UTF-8, with or without a byte-order mark, with any line ends.
        limit_bytes: how long it may be.

    Returns:
        What it says.

    Raises:
        MalformedError: not well-formed, too large, or of another kind; not Azure's; a section or a
            field is there twice; there is nothing for Linux in it; a name is too long or has
            control characters.
    """
    root = xml.parse(data, "Environment", limit_bytes)
    section = _only(root, "ProvisioningSection") if root.namespace in NAMESPACES else None
    if section is None:
        raise MalformedError(
            "not an azure provisioning document",
            namespace=root.namespace[:100],
            missing="ProvisioningSection",
        )
    linux = _only(section, "LinuxProvisioningConfigurationSet")
    if linux is None:
        raise MalformedError(
            "provisioning document has nothing for linux",
            found=" ".join(child.name for child in section.children)[:200],
            hint="the VM must be made from an image whose operating system is declared as Linux",
        )
    platform_section = _only(root, "PlatformSettingsSection")
    platform = _only(platform_section, "PlatformSettings") if platform_section is not None else None
    if platform is None:
        platform = xml.Element("PlatformSettings", AZURE_NAMESPACE)
    notes: List[str] = []
    disabled = _boolean(linux, "DisableSshPasswordAuthentication", notes)
    kind = _text(platform, "PreprovisionedVMType")
    return OvfEnvironment(
        hostname=_text(linux, "HostName"),
        user_name=_text(linux, "UserName"),
        password=_password(linux, notes),
        password_login=None if disabled is None else not disabled,
        custom_data=_custom_data(linux, notes),
        ssh_keys=_keys(linux, notes),
        preprovisioned=bool(_boolean(platform, "PreprovisionedVm", notes)),
        preprovisioned_type="" if kind.lower() == "none" else kind,
        provision_guest_agent=_boolean(platform, "ProvisionGuestAgent", notes),
        provision_guest_proxy_agent=_boolean(platform, "ProvisionGuestProxyAgent", notes),
        warnings=tuple(notes[:MAX_WARNINGS]),
    )


def _ours(parent: xml.Element, name: str) -> List[xml.Element]:
    # In any case: the same field is spelled PreprovisionedVMType and PreprovisionedVmType.
    return [
        child
        for child in parent.children
        if child.name.lower() == name.lower() and child.namespace in NAMESPACES
    ]


def _only(parent: xml.Element, name: str) -> Optional[xml.Element]:
    """The child ``name``, None when there is none.

    Raises:
        MalformedError: there are several.
    """
    found = _ours(parent, name)
    if len(found) > 1:
        raise MalformedError(
            "provisioning document says a thing twice",
            field="%s/%s" % (parent.name, name),
            times=len(found),
        )
    return found[0] if found else None


def _raw(parent: xml.Element, name: str) -> str:
    """The text of the child ``name`` as it stands, "" when there is none."""
    found = _only(parent, name)
    return found.text if found is not None else ""


def _text(parent: xml.Element, name: str) -> str:
    """The text of the child ``name``, one line, without white space around it."""
    found = _only(parent, name)
    return found.value() if found is not None else ""


def _boolean(parent: xml.Element, name: str, notes: List[str]) -> Optional[bool]:
    """The child ``name`` as a boolean; None when it is missing, empty or no boolean."""
    word = _raw(parent, name).strip().lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    if word:
        notes.append("%s is neither true nor false: taken as not said" % name)
    return None


def _password(linux: xml.Element, notes: List[str]) -> str:
    """The password, exactly as given: white space at its ends may be part of it, but alone it is
    none.

    Whether a host's tools can take it is looked at when it is set: one that they cannot must cost
    nothing but itself.
    """
    password = _raw(linux, "UserPassword")
    if not password.strip(" \t\r\n"):
        return ""
    if is_struck_out(password.strip()):
        notes.append(
            "UserPassword is struck out: this is an agent's copy of the document, no password"
            " is set"
        )
        return ""
    return password


def _custom_data(linux: xml.Element, notes: List[str]) -> str:
    """CustomData as canonical base64; as it stands when it is not base64: somebody meant something
    by it.
    """
    given = _raw(linux, "CustomData")
    text = "".join(given.split())
    if is_struck_out(text):
        notes.append("CustomData is struck out: this is an agent's copy of the document")
        return ""
    try:
        if len(text) % 4:  # Python passes over some padding that is too much
            raise ValueError(len(text))
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except (binascii.Error, ValueError):
        notes.append("CustomData is not base64: it is kept as it came")
        return given


def _keys(linux: xml.Element, notes: List[str]) -> Tuple[SshKey, ...]:
    ssh = _only(linux, "SSH")
    keys = _only(ssh, "PublicKeys") if ssh is not None else None
    found = []
    for number, each in enumerate(_ours(keys, "PublicKey") if keys is not None else [], 1):
        text = _raw(each, "Value").strip()
        if len(text) > MAX_KEY:
            notes.append(
                "PublicKey %d is too long (%d characters): it is left out" % (number, len(text))
            )
            continue
        fingerprint = "".join(_raw(each, "Fingerprint").replace(":", "").split()).upper()
        if fingerprint and (
            len(fingerprint) != THUMBPRINT_DIGITS or not set(fingerprint) <= set("0123456789ABCDEF")
        ):
            notes.append(
                "the Fingerprint of PublicKey %d is no SHA-1 thumbprint: it is left out" % number
            )
            fingerprint = ""
        if text or fingerprint:
            found.append(SshKey(text, _text(each, "Path"), fingerprint))
        else:
            notes.append(
                "PublicKey %d has neither a Value nor a Fingerprint that could be used" % number
            )
    return tuple(found)
