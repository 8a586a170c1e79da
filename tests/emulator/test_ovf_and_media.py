"""ovf-env.xml and the image around it, read back by tools that are not ours."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List
from xml.etree import ElementTree

import pytest

from lightinit.emulator import EmulatorError, make_media, make_ovf
from lightinit.emulator.host_side.media import FORMATS, LABEL
from tests.emulator.tools import need, run

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
OVF = "{http://schemas.dmtf.org/ovf/environment/1}"
WA = "{http://schemas.microsoft.com/windowsazure}"
SET = "%sProvisioningSection/%sLinuxProvisioningConfigurationSet/" % (WA, WA)
ALL = "".join(chr(code) for code in range(32, 127)) + " \u00fc\u20ac\U0001f511\r\n\t]]>"


def read(**fields: Any) -> Dict[str, Any]:
    """Write a document and return its elements with text, by their path without namespaces."""
    found: Dict[str, Any] = {}

    def walk(node: ElementTree.Element, path: str) -> None:
        for child in node:
            assert child.tag.startswith(WA)
            name = (path + "/" + child.tag[len(WA) :]).lstrip("/")
            found.setdefault(name, []).append(child.text)
            walk(child, name)

    root = ElementTree.fromstring(make_ovf(**fields))
    assert root.tag == OVF + "Environment"
    walk(root, "")
    prefix = "ProvisioningSection/LinuxProvisioningConfigurationSet/"
    return {
        name.replace(prefix, "").replace("PlatformSettingsSection/PlatformSettings/", ""): text
        for name, text in found.items()
    }


def test_everything_is_in_its_place() -> None:
    found = read(
        user_name="ada",
        host_name="vm-7",
        password=ALL,
        custom_data=b"\0\xff",
        ssh_keys=["ssh-rsa A a", "b"],
        fingerprints=["ab" * 20],
        preprovisioned_type="Savable",
        provision_guest_agent=True,
        provision_guest_proxy_agent=False,
    )
    assert found["ConfigurationSetType"] == ["LinuxProvisioningConfiguration"]
    assert (found["UserName"], found["HostName"], found["UserPassword"]) == (
        ["ada"],
        ["vm-7"],
        [ALL],
    )
    assert base64.b64decode(found["CustomData"][0]) == b"\0\xff"
    assert found["SSH/PublicKeys/PublicKey/Fingerprint"] == ["AB" * 20]
    assert found["SSH/PublicKeys/PublicKey/Value"] == ["ssh-rsa A a", "b"]
    assert found["SSH/PublicKeys/PublicKey/Path"] == ["/home/ada/.ssh/authorized_keys"] * 3
    assert (found["PreprovisionedVm"], found["PreprovisionedVMType"]) == (["true"], ["Savable"])
    assert (found["ProvisionGuestAgent"], found["ProvisionGuestProxyAgent"]) == (
        ["true"],
        ["false"],
    )


def test_what_is_not_given_is_not_there() -> None:
    found = read()
    assert not {"UserPassword", "CustomData", "SSH", "ProvisionGuestProxyAgent"} & set(found)
    assert (found["PreprovisionedVm"], found["PreprovisionedVMType"]) == (["false"], [None])
    assert found["UserName"] == ["azureuser"]
    assert "HostName" not in read(host_name="")


@pytest.mark.parametrize(
    "fields, word",
    [
        ({}, "true"),
        ({"password": "x"}, "false"),
        ({"password": "x", "disable_password_authentication": True}, "true"),
        ({"disable_password_authentication": False}, "false"),
    ],
)
def test_password_authentication(fields: Dict[str, Any], word: str) -> None:
    assert read(**fields)["DisableSshPasswordAuthentication"] == [word]


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"password": "secret\0"}, r"password has the character U\+0000"),
        ({"host_name": "a\x1b"}, r"host_name has .* U\+001B"),
        ({"user_name": "\ud800"}, r"U\+D800"),
        ({"fingerprints": ["xyz"]}, "in 40 hexadecimal"),
        ({"preprovisioned_type": "Other"}, "neither Running nor Savable"),
    ],
)
def test_values_that_xml_cannot_carry_are_refused_and_not_shown(
    fields: Dict[str, Any], sentence: str
) -> None:
    with pytest.raises(EmulatorError, match=sentence) as caught:
        make_ovf(**fields)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_the_image_is_read_back(tmp_path: Path, form: str) -> None:
    need("genisoimage", "7z", "blkid", "isoinfo")
    image, ovf = str(tmp_path / "media.img"), make_ovf(password=ALL)
    make_media(image, ovf, form)
    assert run("7z", "x", "-so", image, "ovf-env.xml") == ovf
    names = [line.split()[-1] for line in run("7z", "l", "-ba", image).splitlines()]
    assert names == [b"ovf-env.xml"]
    shown = run("blkid", "-p", "-o", "export", image).decode()
    assert "TYPE=%s" % ("iso9660" if form == "iso9660" else "udf") in shown
    assert "LABEL=" + LABEL in shown.replace("\\", "")
    seen = subprocess.run(
        ["isoinfo", "-R", "-x", "/ovf-env.xml", "-i", image],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ).stdout
    assert (seen == ovf) == (form != "udf"), "the platform's image has no ISO 9660"
    assert stat.S_IMODE(os.stat(image).st_mode) == 0o600
    assert os.listdir(str(tmp_path)) == ["media.img"]


def test_the_image_is_udf_for_tools_of_udf(tmp_path: Path) -> None:
    need("genisoimage", "udfinfo")
    make_media(str(tmp_path / "media.img"), b"<x/>")
    shown = run("udfinfo", str(tmp_path / "media.img")).decode()
    assert "label=" + LABEL in shown and "numfiles=1" in shown


def test_an_image_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    need("genisoimage")
    image = tmp_path / "media.img"
    image.write_text("before")
    with pytest.raises(EmulatorError, match="failed"):
        make_media(str(image), b"<x/>", label="x" * 200)
    assert (image.read_text(), os.listdir(str(tmp_path))) == ("before", ["media.img"])
    with pytest.raises(EmulatorError, match="cannot write the image"):
        make_media(str(tmp_path / "none" / "media.img"), b"<x/>")


def media(*words: str, env: Any = None) -> "subprocess.CompletedProcess[bytes]":
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "lightinit.emulator", "media", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        env=env,
    )


def test_the_command_writes_what_the_function_writes(tmp_path: Path) -> None:
    need("genisoimage", "7z")
    keys = "# mine\nssh-rsa A a\n\n ssh-rsa B b \n"
    for name, text in (("password", ALL + "\n"), ("data", "#!/bin/sh\n"), ("keys", keys)):
        (tmp_path / name).write_bytes(text.encode())
    image = str(tmp_path / "media.img")
    ended = media(
        "--output",
        image,
        "--user-name",
        "ada",
        "--host-name",
        "vm",
        "--password-file",
        str(tmp_path / "password"),
        "--custom-data",
        str(tmp_path / "data"),
        "--ssh-key",
        str(tmp_path / "keys"),
        "--fingerprint",
        "ab" * 20,
        "--fingerprint",
        "CD" * 20,
        "--disable-password-authentication",
        "yes",
        "--preprovisioned-type",
        "Running",
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert run("7z", "x", "-so", image, "ovf-env.xml") == make_ovf(
        "ada",
        "vm",
        ALL,
        b"#!/bin/sh\n",
        ["ssh-rsa A a", "ssh-rsa B b"],
        ["AB" * 20, "CD" * 20],
        True,
        "Running",
    )
    (tmp_path / "mine.xml").write_bytes(b"<anything\xff")
    assert (
        media(
            "--output", image, "--ovf", str(tmp_path / "mine.xml"), "--format", "iso9660"
        ).returncode
        == 0
    )
    assert run("7z", "x", "-so", image, "ovf-env.xml") == b"<anything\xff"


@pytest.mark.parametrize(
    "words, code, sentence",
    [
        ([], 2, "--output"),
        (["--output", "x", "--format", "ntfs"], 2, "invalid choice"),
        (["--output", "x", "--password", "x"], 2, "error"),
        (["--output", "x", "--ovf", "/dev/null", "--user-name", "a"], 1, "leave --user-name out"),
        (["--output", "x", "--password-file", "/nowhere"], 1, "cannot read /nowhere: No such file"),
        (["--output", "/nowhere/x"], 1, "cannot write the image /nowhere/x"),
    ],
)
def test_mistakes_are_explained(words: List[str], code: int, sentence: str) -> None:
    need("genisoimage")
    ended = media(*words)
    assert (ended.returncode, sentence in ended.stderr.decode()) == (code, True), ended.stderr
    assert b"Traceback" not in ended.stderr


def test_no_tool_is_an_error_that_names_some(tmp_path: Path) -> None:
    ended = media("--output", str(tmp_path / "x"), env={"PATH": str(tmp_path)})
    assert (
        b"no tool that writes UDF images is installed: install genisoimage or mkisofs"
        in ended.stderr
    )
    need("xorriso")
    os.symlink("/usr/bin/xorriso", str(tmp_path / "xorriso"))
    os.symlink("/usr/bin/xorriso", str(tmp_path / "mkisofs"))
    env = {"PATH": str(tmp_path)}
    assert media("--output", str(tmp_path / "x"), env=env).returncode == 1
    assert media("--output", str(tmp_path / "x"), "--format", "iso9660", env=env).returncode == 0
    need("blkid")
    assert b"TYPE=iso9660" in run("blkid", "-p", "-o", "export", str(tmp_path / "x"))
