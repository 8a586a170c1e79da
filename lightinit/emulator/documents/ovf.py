"""Writes ``ovf-env.xml``, which a VM gets on its provisioning media or as reprovision data.

Values in, bytes out; knows no file and no image. Source of names, order and namespaces: documents
of real VMs that agents publish as test data.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

from lightinit.emulator.errors import EmulatorError

PREPROVISIONED = ("Running", "Savable")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FINGERPRINT = re.compile("[0-9A-Fa-f]{40}")
_TEMPLATE = """<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" \
xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" \
xmlns:wa="http://schemas.microsoft.com/windowsazure" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <wa:ProvisioningSection>
    <wa:Version>1.0</wa:Version>
    <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure" \
xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
      <ConfigurationSetType>LinuxProvisioningConfiguration</ConfigurationSetType>
%s
    </LinuxProvisioningConfigurationSet>
  </wa:ProvisioningSection>
  <wa:PlatformSettingsSection>
    <wa:Version>1.0</wa:Version>
    <wa:PlatformSettings>
      <wa:KmsServerHostname>kms.core.windows.net</wa:KmsServerHostname>
      <wa:ProvisionGuestAgent>%s</wa:ProvisionGuestAgent>
      <wa:GuestAgentPackageName xsi:nil="true" />
      <wa:RetainWindowsPEPassInUnattend>true</wa:RetainWindowsPEPassInUnattend>
      <wa:RetainOfflineServicingPassInUnattend>true</wa:RetainOfflineServicingPassInUnattend>
%s
    </wa:PlatformSettings>
  </wa:PlatformSettingsSection>
</Environment>
"""


def _word(value: bool) -> str:
    return "true" if value else "false"


def _element(name: str, value: str, field: str) -> str:
    """Write an element.

    Raises:
        EmulatorError: XML cannot contain a character. The text does not show the value, because it
            may be a password.
    """
    found = _FORBIDDEN.search(value)
    if found:
        raise EmulatorError(
            "%s has the character U+%04X, which XML cannot contain" % (field, ord(found.group(0)))
        )
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        value = value.replace(character, entity)
    return "<%s>%s</%s>" % (name, value, name)


def _list_keys(user_name: str, ssh_keys: Sequence[str], fingerprints: Sequence[str]) -> List[str]:
    path = _element("Path", "/home/%s/.ssh/authorized_keys" % user_name, "user_name")
    keys = []
    for fingerprint in fingerprints:
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise EmulatorError(
                "the fingerprint %r is not a certificate's SHA-1 in 40 hexadecimal digits"
                % fingerprint
            )
        keys.append(_element("Fingerprint", fingerprint.upper(), "fingerprints") + path)
    keys += [path + _element("Value", key, "ssh_keys") for key in ssh_keys]
    if not keys:
        return []
    return (
        ["<SSH>", "  <PublicKeys>"]
        + ["    <PublicKey>%s</PublicKey>" % key for key in keys]
        + ["  </PublicKeys>", "</SSH>"]
    )


def _list_settings(
    preprovisioned_type: Optional[str], provision_guest_proxy_agent: Optional[bool]
) -> List[str]:
    """The elements of PlatformSettings that differ between VMs, besides ProvisionGuestAgent."""
    settings = [_element("wa:PreprovisionedVm", _word(preprovisioned_type is not None), "")]
    if preprovisioned_type is None:
        settings.append('<wa:PreprovisionedVMType xsi:nil="true" />')
    elif preprovisioned_type in PREPROVISIONED:
        settings.append(_element("wa:PreprovisionedVMType", preprovisioned_type, ""))
    else:
        raise EmulatorError(
            "the preprovisioned type %r is neither Running nor Savable" % preprovisioned_type
        )
    if provision_guest_proxy_agent is not None:
        settings.append(
            _element("wa:ProvisionGuestProxyAgent", _word(provision_guest_proxy_agent), "")
        )
    return settings


def make_ovf(
    user_name: str = "azureuser",
    host_name: str = "lightinit-vm",
    password: Optional[str] = None,
    custom_data: Optional[bytes] = None,
    ssh_keys: Sequence[str] = (),
    fingerprints: Sequence[str] = (),
    disable_password_authentication: Optional[bool] = None,
    preprovisioned_type: Optional[str] = None,
    provision_guest_agent: bool = False,
    provision_guest_proxy_agent: Optional[bool] = None,
) -> bytes:
    """Write the document of one VM.

    Args:
        user_name: the account; "" leaves the element out.
        host_name: the VM's name; "" leaves the element out.
        password: the account's password; None for no password.
        custom_data: the bytes, before base64; None for no custom data.
        ssh_keys: public keys as lines of authorized_keys.
        fingerprints: thumbprints of certificates whose public keys may log in.
        disable_password_authentication: None means "true" without a password, "false" with one.
        preprovisioned_type: ``Running`` or ``Savable`` for a VM that has no owner yet.
        provision_guest_agent: whether the platform wants its guest agent.
        provision_guest_proxy_agent: the same for its proxy agent; None leaves the element out.

    Raises:
        EmulatorError: XML cannot contain a value, or a fingerprint or the type is not valid.
    """
    names = (("HostName", host_name, "host_name"), ("UserName", user_name, "user_name"))
    lines = [_element(name, value, field) for name, value, field in names if value]
    if password is not None:
        lines.append(_element("UserPassword", password, "password"))
    if disable_password_authentication is None:
        disable_password_authentication = password is None
    word = _word(disable_password_authentication)
    lines.append(_element("DisableSshPasswordAuthentication", word, ""))
    lines += _list_keys(user_name, ssh_keys, fingerprints)
    if custom_data is not None:
        lines.append(_element("CustomData", base64.b64encode(custom_data).decode("ascii"), ""))
    settings = _list_settings(preprovisioned_type, provision_guest_proxy_agent)
    return (
        _TEMPLATE
        % (
            "\n".join("      " + line for line in lines),
            _word(provision_guest_agent),
            "\n".join("      " + line for line in settings),
        )
    ).encode("utf-8")


_KINDS: Dict[str, Any] = {
    "user_name": str,
    "host_name": str,
    "password": str,
    "custom_data": str,
    "ssh_keys": list,
    "fingerprints": list,
    "disable_password_authentication": bool,
    "preprovisioned_type": str,
    "provision_guest_agent": bool,
    "provision_guest_proxy_agent": bool,
}
_NAMES = {str: "a text", list: "a list of texts", bool: "true or false"}


def find_field_problems(fields: Any) -> List[str]:
    """Return one sentence for each mistake in a document's fields in a scenario."""
    if not isinstance(fields, dict):
        return ["must be an object with arguments of make_ovf, such as host_name"]
    found = []
    for name, value in fields.items():
        kind = _KINDS.get(name)
        if kind is None:
            found.append("has an unknown key %r: known are %s" % (name, ", ".join(_KINDS)))
        elif not isinstance(value, kind) or (
            kind is list and not all(isinstance(text, str) for text in value)
        ):
            found.append("has %r, which must be %s" % (name, _NAMES[kind]))
    if not found:
        try:
            make_ovf_of(fields)
        except EmulatorError as error:
            found.append(str(error))
    return found


def make_ovf_of(fields: Mapping[str, Any]) -> bytes:
    """Write the document of a JSON object: the arguments of :func:`make_ovf`, but custom_data is
    text.

    Raises:
        EmulatorError: as in :func:`make_ovf`.
    """
    arguments = dict(fields)
    if isinstance(arguments.get("custom_data"), str):
        arguments["custom_data"] = arguments["custom_data"].encode("utf-8", "surrogatepass")
    return make_ovf(**arguments)
