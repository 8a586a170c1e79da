"""ovf-env.xml: whole, in other dress, broken; and what remains of it without its secrets."""

from __future__ import annotations

import base64
import random
from typing import Any
from xml.sax.saxutils import escape

import pytest

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.accounts.passwords import check_password
from lightinit.formats.azure import ovf
from lightinit.formats.azure.ovf_redaction import STUB, redact
from lightinit.model import SshKey
from tests.lib.ovf_document import CUSTOM, PASSWORD, PRINT, WHOLE, with_password


def changed(old: str, new: str) -> ovf.OvfEnvironment:
    assert old in WHOLE
    return ovf.parse(WHOLE.replace(old, new).encode())


def test_a_whole_document() -> None:
    path = "/home/azureuser/.ssh/authorized_keys"
    assert ovf.parse(WHOLE.encode()) == ovf.OvfEnvironment(
        hostname="web-1",
        user_name="azureuser",
        password="Pa55 & w\u00f6rd:x",
        password_login=True,
        custom_data=CUSTOM,
        ssh_keys=(SshKey("ssh-ed25519 AAAA one", path, PRINT), SshKey("", path, PRINT)),
        preprovisioned=True,
        preprovisioned_type="Savable",
        provision_guest_agent=True,
    )


def test_secrets_are_not_in_its_repr() -> None:
    shown = repr(ovf.parse(WHOLE.encode()))
    assert "Pa55" not in shown and CUSTOM not in shown and "azureuser" in shown


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + WHOLE.encode(),
        b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode(),
        WHOLE.replace("ns1:", "wa:").replace("xmlns:ns1", "xmlns:wa").encode(),
        WHOLE.replace("ns0:", "")
        .replace(
            "<ns1:ProvisioningSection>", '<ProvisioningSection xmlns="%s">' % ovf.AZURE_NAMESPACE
        )
        .replace("</ns1:ProvisioningSection>", "</ProvisioningSection>")
        .encode(),
        WHOLE.replace("ns0:", "")
        .replace("ns1:", "")
        .replace(' xmlns="http://schemas.dmtf.org/ovf/environment/1"', "")
        .encode(),
        WHOLE.replace("PreprovisionedVMType", "PreprovisionedVmType").encode(),
    ],
    ids=["bom", "bom and crlf", "other prefix", "no prefix", "no namespace", "other spelling"],
)
def test_the_same_in_other_dress(data: bytes) -> None:
    assert ovf.parse(data) == ovf.parse(WHOLE.encode())


def test_the_least_that_will_do() -> None:
    data = (
        b"<Environment><ProvisioningSection><LinuxProvisioningConfigurationSet/>"
        b"</ProvisioningSection></Environment>"
    )
    assert ovf.parse(data) == ovf.OvfEnvironment()


def test_what_is_in_a_foreign_namespace_is_passed_over() -> None:
    seen = changed(PASSWORD, '<x:UserPassword xmlns:x="urn:other">mine</x:UserPassword>')
    assert seen.password == "" and seen.user_name == "azureuser"


PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


@pytest.mark.parametrize(
    "password",
    [
        PRINTABLE,
        "  leading and trailing  ",
        "a:b:c",
        "\u00e4\u00f6\u00fc\u20ac\u4f60\u597d\U0001f468\u200d\U0001f469",
        "x" * 1025,
        "]]>",
        "&amp;",
        "a\nroot:x",
        "\u00a0nbsp\u2028",
    ],
    ids=[
        "printable",
        "spaces",
        "colons",
        "utf-8",
        "long",
        "cdata's end",
        "entity",
        "lines",
        "odd spaces",
    ],
)
def test_a_password_is_taken_as_it_is(password: str) -> None:
    assert (
        ovf.parse(
            with_password("<ns1:UserPassword>%s</ns1:UserPassword>" % escape(password))
        ).password
        == password
    )
    cdata = password.replace("]]>", "]]]]><![CDATA[>")
    assert (
        ovf.parse(
            with_password("<ns1:UserPassword><![CDATA[%s]]></ns1:UserPassword>" % cdata)
        ).password
        == password
    )


@pytest.mark.parametrize(
    "password", ["a&#10;root:x", "a\nroot:x", "a&#9;b", "a&#13;b", "&#127;", "&#133;", "x" * 1025]
)
def test_a_password_that_no_tool_could_take_costs_nothing_but_itself(password: str) -> None:
    seen = ovf.parse(with_password("<ns1:UserPassword>%s</ns1:UserPassword>" % password))
    assert seen._replace(password="") == ovf.parse(with_password(""))
    with pytest.raises(ProvisioningError, match="password is not allowed") as caught:
        check_password(seen.password, seen.user_name)
    assert "root" not in str(caught.value)


@pytest.mark.parametrize("blank", ["", " ", "\n      ", "&#13;&#10;"])
def test_a_blank_password_is_none(blank: str) -> None:
    assert ovf.parse(with_password("<ns1:UserPassword>%s</ns1:UserPassword>" % blank)) == ovf.parse(
        with_password("")
    )


@pytest.mark.parametrize("mark", ["REDACTED", "*", " REDACTED\n".strip()])
def test_a_struck_out_copy_sets_no_password(mark: str) -> None:
    seen = ovf.parse(
        WHOLE.replace(PASSWORD, "<ns1:UserPassword>%s</ns1:UserPassword>" % mark)
        .replace(CUSTOM, "REDACTED")
        .encode()
    )
    assert (seen.password, seen.custom_data) == ("", "")
    assert [note.split(":")[0] for note in seen.warnings] == [
        "UserPassword is redacted",
        "CustomData is redacted",
    ]
    assert ovf.parse(redact(WHOLE.encode())) == seen, "what is kept as a copy does no harm as media"


@pytest.mark.parametrize(
    "word, login, warned",
    [
        ("true", False, False),
        ("TRUE", False, False),
        (" 1 ", False, False),
        ("Yes", False, False),
        ("on", False, False),
        ("false", True, False),
        ("0", True, False),
        ("no", True, False),
        ("OFF", True, False),
        ("", None, False),
        ("maybe", None, True),
    ],
)
def test_password_login_is_the_negation(word: str, login: Any, warned: bool) -> None:
    seen = changed(
        "<ns1:DisableSshPasswordAuthentication>false",
        "<ns1:DisableSshPasswordAuthentication>" + word,
    )
    assert (seen.password_login, bool(seen.warnings)) == (login, warned)


def test_a_word_that_is_no_boolean_is_not_true() -> None:
    seen = changed("<ns1:PreprovisionedVm>True", "<ns1:PreprovisionedVm>soon")
    assert seen.preprovisioned is False
    assert seen.warnings == ("PreprovisionedVm is neither true nor false: it is ignored",)


def test_no_type_of_preprovisioning_has_two_forms() -> None:
    assert (
        changed("Savable", "None").preprovisioned_type
        == changed("Savable", "").preprovisioned_type
        == ""
    )


@pytest.mark.parametrize(
    "text, expected",
    [
        (" %s\r\n %s " % (CUSTOM[:8], CUSTOM[8:]), CUSTOM),
        ("", ""),
        ("AAA=", "AAA="),
        ("AAB=", "AAA="),
        (base64.b64encode(b"x" * 65535).decode(), base64.b64encode(b"x" * 65535).decode()),
    ],
)
def test_custom_data_becomes_canonical(text: str, expected: str) -> None:
    assert changed(CUSTOM, text).custom_data == expected


@pytest.mark.parametrize(
    "text", ["#!/bin/sh", "AAA", "A", "AA=A", "AAAA=", "\u00e4\u00e4\u00e4\u00e4", "A-_A"]
)
def test_custom_data_that_is_not_base64_costs_no_vm(text: str) -> None:
    seen = changed(CUSTOM, text)
    assert (seen.custom_data, seen.user_name) == (text, "azureuser"), "nor is it lost"
    assert seen.warnings == ("CustomData is not base64: it is kept as it came",)


def test_keys_that_cannot_be_used_are_named() -> None:
    seen = changed(
        "<ns1:Value>ssh-ed25519 AAAA one</ns1:Value>", "<ns1:Value>%s</ns1:Value>" % ("x" * 40000)
    )
    assert len(seen.ssh_keys) == 1 and "PublicKey 1 is too long" in seen.warnings[0]
    seen = changed(PRINT, "zz")
    assert len(seen.ssh_keys) == 1 and len(seen.warnings) == 2
    assert "neither a Value nor a Fingerprint" in seen.warnings[1]


def test_a_key_of_several_lines_stays_whole() -> None:
    text = "-----BEGIN CERTIFICATE-----\nAAAA\nBBBB\n-----END CERTIFICATE-----"
    assert changed("ssh-ed25519 AAAA one", "\n " + text + " ").ssh_keys[0].text == text


def twice(name: str) -> bytes:
    begin = WHOLE.index("<ns1:%s>" % name)
    end = WHOLE.index("</ns1:%s>" % name) + len("</ns1:%s>" % name)
    return (WHOLE[:end] + WHOLE[begin:end] + WHOLE[end:]).encode()


@pytest.mark.parametrize(
    "name",
    [
        "ProvisioningSection",
        "LinuxProvisioningConfigurationSet",
        "UserName",
        "UserPassword",
        "DisableSshPasswordAuthentication",
        "CustomData",
        "SSH",
        "PublicKeys",
        "HostName",
        "PlatformSettingsSection",
        "PlatformSettings",
    ],
)
def test_what_is_there_twice_is_refused(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        ovf.parse(twice(name))
    assert caught.value.reason == "provisioning document says a thing twice"
    assert (
        caught.value.details["field"].endswith("/" + name) and caught.value.details["times"] == "2"
    )


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "xml document is not well-formed"),
        (b"<html/>", "xml document is of another kind"),
        (b"<Environment/>", "not an azure provisioning document"),
        (
            b'<Environment xmlns="urn:other"><ProvisioningSection xmlns=""/></Environment>',
            "not an azure provisioning document",
        ),
        (
            b"<Environment><ProvisioningSection/></Environment>",
            "provisioning document has nothing for linux",
        ),
        (WHOLE.replace("Linux", "Windows").encode(), "provisioning document has nothing for linux"),
        (b"<!DOCTYPE Environment><Environment/>", "xml document has a document type"),
        (WHOLE.encode("utf-16")[:-1], "xml document is not utf-8"),
        (WHOLE.replace(CUSTOM, "A" * 1024 * 1024).encode(), "xml document is too large"),
        (b"<Environment>" + b"x" * (100 * 1024 * 1024), "xml document is too large"),
        (WHOLE.replace("azureuser<", "a&#10;b<").encode(), "xml field has control characters"),
        (WHOLE.replace("web-1", "w" * 600).encode(), "xml field is too long"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        ovf.parse(data)
    assert caught.value.reason == reason


def test_every_prefix_is_refused_or_whole_and_never_leaks() -> None:
    data = WHOLE.encode()
    for length in range(len(data.rstrip())):
        with pytest.raises(MalformedError):
            ovf.parse(data[:length])
        assert redact(data[:length]) == STUB


def test_changed_bytes_give_nothing_but_our_errors() -> None:
    dice = random.Random(245)
    survived = 0
    for _ in range(3000):
        data = bytearray(WHOLE.encode())
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        redact(bytes(data))
        try:
            ovf.parse(bytes(data))
        except LightinitError:
            continue
        survived += 1
    assert survived > 50
