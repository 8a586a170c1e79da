"""Reads ``ovf-env.xml``, the document on the provisioning media: bytes in, checked values out. It
knows no device.

A section or a field that occurs twice is an error: the wrong one could give the account to the
wrong person. An invalid value is a warning if no login depends on it: custom data that are not
base64 must not make the VM unreachable.
"""

from __future__ import annotations

import base64
import binascii
from typing import List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.accounts.passwords import is_struck_out
from lightinit.model import NamedTuple, SshKey, repr_without

OVF_NAMESPACE = "http://schemas.dmtf.org/ovf/environment/1"
AZURE_NAMESPACE = "http://schemas.microsoft.com/windowsazure"
# A name without a namespace is accepted too. A name in any other namespace is ignored.
NAMESPACES = (AZURE_NAMESPACE, OVF_NAMESPACE, "")
LIMIT_BYTES = xml.LIMIT_BYTES
MAX_KEY = 32 * 1024
MAX_WARNINGS = 20
THUMBPRINT_DIGITS = 40
TRUE_WORDS = ("true", "1", "yes", "on")
FALSE_WORDS = ("false", "0", "no", "off")


class OvfEnvironment(NamedTuple):
    """The values in the document. A text that is not given is "".

    Attributes:
        hostname: the host name, not yet validated.
        user_name: the name of the admin account, not yet validated.
        password: the password of the account, unchanged. A secret.
        password_login: whether SSH password login is on. None: not given.
        custom_data: canonical base64; the text as given, with a warning, if that is not base64. A
            secret.
        ssh_keys: keys with a value, or with the fingerprint (SHA-1, upper-case hex) of one of the
            platform's certificates.
        preprovisioned: whether this VM has booted before it has an owner.
        preprovisioned_type: how such a VM waits for its owner, for example ``Savable``.
        provision_guest_agent: whether the platform wants a guest agent. None: not given.
        provision_guest_proxy_agent: whether it wants a proxy agent. None: not given.
        warnings: what is invalid and was ignored, one sentence each.
    """

    hostname: str = ""
    user_name: str = ""
    password: str = ""
    password_login: Optional[bool] = None
    custom_data: str = ""
    ssh_keys: Tuple[SshKey, ...] = ()
    preprovisioned: bool = False
    preprovisioned_type: str = ""
    provision_guest_agent: Optional[bool] = None
    provision_guest_proxy_agent: Optional[bool] = None
    warnings: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        return repr_without(self, "password", "custom_data")


def parse(data: bytes, limit_bytes: int = LIMIT_BYTES) -> OvfEnvironment:
    """Read a whole document. It comes from the media or is IMDS's reprovision data.

    Args:
        data: UTF-8, with or without a byte-order mark, with any line ends.
        limit_bytes: the largest size that is accepted.

    Returns:
        The values in it.

    Raises:
        MalformedError: the document is not well-formed or too large; it has nothing for Linux; a
            section or a field occurs twice; a name is too long or has control characters.
        OtherDocumentError: it is another document.
    """
    root = xml.parse(data, "Environment", limit_bytes)
    section = None
    if root.namespace in NAMESPACES:
        section = _only(root, "ProvisioningSection")
    if section is None:
        raise xml.OtherDocumentError(
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
    platform = _section(_section(root, "PlatformSettingsSection"), "PlatformSettings")
    notes: List[str] = []
    return OvfEnvironment(
        hostname=_text(linux, "HostName"),
        user_name=_text(linux, "UserName"),
        password=_password(linux, notes),
        password_login=_password_login(linux, notes),
        custom_data=_custom_data(linux, notes),
        ssh_keys=_keys(linux, notes),
        preprovisioned=bool(_boolean(platform, "PreprovisionedVm", notes)),
        preprovisioned_type=_preprovisioned_type(platform),
        provision_guest_agent=_boolean(platform, "ProvisionGuestAgent", notes),
        provision_guest_proxy_agent=_boolean(platform, "ProvisionGuestProxyAgent", notes),
        warnings=tuple(notes[:MAX_WARNINGS]),
    )


def _ours(parent: xml.Element, name: str) -> List[xml.Element]:
    # Case does not matter: one field is spelled PreprovisionedVMType and PreprovisionedVmType.
    return [
        child
        for child in parent.children
        if child.name.lower() == name.lower() and child.namespace in NAMESPACES
    ]


def _only(parent: xml.Element, name: str) -> Optional[xml.Element]:
    """Return the child ``name``, or None.

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
    if not found:
        return None
    return found[0]


def _section(parent: xml.Element, name: str) -> xml.Element:
    """Return the child ``name``, or an empty element if there is none."""
    found = _only(parent, name)
    if found is None:
        return xml.Element(name, AZURE_NAMESPACE)
    return found


def _raw(parent: xml.Element, name: str) -> str:
    """Return the text of the child ``name``, unchanged, or ""."""
    return _section(parent, name).text


def _text(parent: xml.Element, name: str) -> str:
    """Return the text of the child ``name``, one line, without white space around it."""
    return _section(parent, name).value()


def _boolean(parent: xml.Element, name: str, notes: List[str]) -> Optional[bool]:
    """Return the child ``name`` as a boolean, or None if it is missing, empty or not a boolean."""
    word = _raw(parent, name).strip().lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    if word:
        notes.append("%s is neither true nor false: it is ignored" % name)
    return None


def _password_login(linux: xml.Element, notes: List[str]) -> Optional[bool]:
    disabled = _boolean(linux, "DisableSshPasswordAuthentication", notes)
    if disabled is None:
        return None
    return not disabled


def _preprovisioned_type(platform: xml.Element) -> str:
    found = _text(platform, "PreprovisionedVMType")
    if found.lower() == "none":
        return ""
    return found


def _password(linux: xml.Element, notes: List[str]) -> str:
    """Return the password, unchanged: white space at its ends may be part of it. White space alone
    is not a password.

    The module users checks later whether the host's tools can set it. If not, only the password is
    lost.
    """
    password = _raw(linux, "UserPassword")
    if not password.strip(" \t\r\n"):
        return ""
    if is_struck_out(password.strip()):
        notes.append(
            "UserPassword is redacted: this is an agent's copy of the document, so no password"
            " is set"
        )
        return ""
    return password


def _custom_data(linux: xml.Element, notes: List[str]) -> str:
    """Return CustomData as canonical base64. If it is not base64, return the text as given: the
    owner may still need it.
    """
    given = _raw(linux, "CustomData")
    text = "".join(given.split())
    if is_struck_out(text):
        notes.append("CustomData is redacted: this is an agent's copy of the document")
        return ""
    try:
        if len(text) % 4:  # Python accepts some excess padding
            raise ValueError(len(text))
        return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except (binascii.Error, ValueError):
        notes.append("CustomData is not base64: it is kept as it came")
        return given


def _keys(linux: xml.Element, notes: List[str]) -> Tuple[SshKey, ...]:
    keys = _section(_section(linux, "SSH"), "PublicKeys")
    found = []
    for number, each in enumerate(_ours(keys, "PublicKey"), 1):
        text = _raw(each, "Value").strip()
        if len(text) > MAX_KEY:
            notes.append(
                "PublicKey %d is too long (%d characters): it is ignored" % (number, len(text))
            )
            continue
        fingerprint = "".join(_raw(each, "Fingerprint").replace(":", "").split()).upper()
        if fingerprint and (
            len(fingerprint) != THUMBPRINT_DIGITS or not set(fingerprint) <= set("0123456789ABCDEF")
        ):
            notes.append(
                "the Fingerprint of PublicKey %d is no SHA-1 thumbprint: it is ignored" % number
            )
            fingerprint = ""
        if text or fingerprint:
            found.append(SshKey(text, _text(each, "Path"), fingerprint))
        else:
            notes.append(
                "PublicKey %d has neither a Value nor a Fingerprint that could be used" % number
            )
    return tuple(found)
