"""The WireServer's certificates, decrypted by the real openssl; and what it refuses."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List
from xml.etree import ElementTree

import pytest

from lightinit.emulator import EmulatorError, Platform
from lightinit.emulator.certificates.bundles import CIPHERS, find_option_problems
from lightinit.emulator.certificates.pairs import load_pairs, make_pair, thumbprint
from lightinit.emulator.certificates.pkcs12 import FORMS, Pair
from tests.emulator.tools import (
    CERTIFICATE,
    Agent,
    data_of,
    keys_of,
    need,
    public_keys,
    run,
    target_of,
)
from tests.emulator.wire import METADATA, WIRE, ask, get_goal_state

MADE: Dict[str, Any] = {}
TWO: Dict[str, Any] = {
    "name": "x",
    "description": "x",
    "certificate_options": {"count": 2, "without_key": 1},
}


@pytest.fixture(name="agent", scope="module")
def make_agent(tmp_path_factory: Any) -> Agent:
    """Make an agent with a good transport certificate, once: keys take their time."""
    need("openssl")
    return Agent(tmp_path_factory.mktemp("agent"))


def pairs() -> List[Any]:
    """Two pairs and a certificate without its key, made once."""
    if not MADE:
        MADE["pairs"] = [make_pair("one"), make_pair("two"), make_pair("three", with_key=False)]
    return [
        (pair.certificate.decode(), pair.key.decode() if pair.key else None)
        for pair in MADE["pairs"]
    ]


def play(options: Any = None, **parts: Any) -> Platform:
    """Return a platform with those pairs and these options."""
    scenario = {"name": "x", "description": "x", "certificate_options": options or {}}
    return Platform(dict(scenario, **parts), certificates=pairs())


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("padding", ["pkcs1", "oaep"])
@pytest.mark.parametrize(
    "cipher, name", [("AES128_CBC", "aes-128-cbc"), ("DES_EDE3_CBC", "des-ede3-cbc")]
)
def test_every_combination_is_what_openssl_reads(
    agent: Agent, form: str, padding: str, cipher: str, name: str
) -> None:
    with play({"pkcs12": form, "padding": padding}) as platform:
        reply = agent.ask(platform, cipher)
        served = b"".join(pair.certificate for pair in platform.certificates)
    shown = run(
        "openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-noout", data=data_of(reply)
    ).decode()
    assert name in shown and ("rsaesOaep" in shown) == (padding == "oaep")
    assert "d.subjectKeyIdentifier" in shown
    assert re.search(r"d\.envelopedData:\s+version: 2", shown)
    pem = agent.unpack(
        reply, *(["-legacy"] if form == "legacy-rc2" and b"-legacy" in _options() else [])
    )
    assert public_keys(pem) == public_keys(served)
    assert keys_of(pem) == public_keys(served)[1::-1], (
        "keys come in another order than certificates"
    )


def _options() -> bytes:
    ended = subprocess.run(
        ["openssl", "pkcs12", "-help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return ended.stdout


@pytest.mark.parametrize(
    "form, names",
    [
        ("modern", ["AES-256-CBC", "sha256"]),
        ("legacy-3des", ["pbeWithSHA1And3-KeyTripleDES-CBC", "sha1"]),
        ("legacy-rc2", ["pbeWithSHA1And40BitRC2-CBC", "pbeWithSHA1And3-KeyTripleDES-CBC", "sha1"]),
    ],
)
def test_the_forms_of_the_inner_bundle(agent: Agent, form: str, names: List[str]) -> None:
    with play({"pkcs12": form}) as platform:
        pfx = agent.decrypt(data_of(agent.ask(platform))).stdout
    legacy = ["-legacy"] if b"-legacy" in _options() else []
    words = ["openssl", "pkcs12", "-info", "-noout", "-passin", "pass:"] + legacy
    shown = subprocess.run(words, input=pfx, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert shown.returncode == 0
    for name in names:
        assert name in shown.stdout.decode()
    wrong = subprocess.run(
        words[: -1 - len(legacy)] + ["pass:wrong"] + legacy,
        input=pfx,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert wrong.returncode != 0 and b"Mac verify error" in wrong.stdout


def test_the_document_has_the_platforms_form(agent: Agent) -> None:
    with play() as platform:
        platform.set_incarnation(7)
        reply = agent.ask(platform)
        record = platform.requests[-1]
    assert reply.headers["content-type"] == "text/xml; charset=utf-8"
    root = ElementTree.fromstring(reply.body)
    assert [child.tag for child in root] == ["Version", "Incarnation", "Format", "Data"]
    assert [child.text for child in root][:3] == ["2012-11-30", "7", "Pkcs7BlobWithPfxContents"]
    assert {len(line) for line in (root.findtext("Data") or "").splitlines()[:-1]} == {64}
    assert (record["verdict"], record["path"].count("/")) == ("answered", 3)
    kept = json.dumps(record)
    assert "PRIVATE" not in kept and "MIIK" not in kept


def test_certificates_are_made_on_the_spot(agent: Agent) -> None:
    with Platform(TWO) as platform:
        pem = agent.unpack(agent.ask(platform))
        made = platform.certificates
    assert (len(public_keys(pem)), len(keys_of(pem))) == (3, 2)
    assert [pair.key is None for pair in made] == [False, False, True]
    der = run("openssl", "x509", "-outform", "DER", data=made[0].certificate)
    shown = run(
        "openssl", "x509", "-noout", "-fingerprint", "-sha1", "-inform", "DER", data=der
    ).decode()
    assert (
        thumbprint(made[0])
        == platform.thumbprints[0]
        == shown.strip().partition("=")[2].replace(":", "")
    )
    with Platform(certificates="auto") as platform:
        assert len(platform.certificates) == 1


def test_without_certificates_there_is_another_format_and_no_data(agent: Agent) -> None:
    with Platform() as platform:
        root = ElementTree.fromstring(agent.ask(platform).body)
    assert root.findtext("Format") == "CertificatesNonPfxPackage"
    assert root.find("Data") is None


def change(agent: Agent, name: str, value: Any) -> Dict[str, str]:
    """The headers of a good request, one of them changed or (None) left out."""
    headers = dict(agent.headers())
    headers.pop(name)
    return headers if value is None else dict(headers, **{name: value})


CERT = "x-ms-guest-agent-public-x509-cert"


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("x-ms-version", None, "x-ms-version is missing"),
        ("x-ms-cipher-name", None, "x-ms-cipher-name '' is not supported"),
        ("x-ms-cipher-name", "AES256_CBC", "supported: AES128_CBC, DES_EDE3_CBC"),
        (CERT, None, "is missing or empty"),
        (CERT, "-----BEGIN CERTIFICATE-----MIIA", "PEM's BEGIN or END line"),
        (CERT, "MIIA!!", "is not base64 on one line"),
        (CERT, "MIIA", "not an X.509 certificate in DER: it is cut short"),
        (CERT, base64.b64encode(b"hello").decode(), "not an X.509 certificate in DER"),
        (
            CERT,
            base64.b64encode(bytes.fromhex("3003020101")).decode(),
            "not an X.509 certificate in DER",
        ),
    ],
)
def test_refuses_requests(agent: Agent, name: str, value: Any, reason: str) -> None:
    with Platform() as platform:
        reply = ask(platform.wireserver, "GET", target_of(platform), change(agent, name, value))
        assert (reply.status, platform.requests[-1]["verdict"]) == (400, "refused")
        assert reason in reply.body.decode()


@pytest.mark.parametrize(
    "words, new_key, reason",
    [
        (["-addext", "subjectKeyIdentifier=none"], "rsa:2048", "has no subjectKeyIdentifier"),
        ([], "rsa:1024", "not RSA with at least 2048 bits"),
        ([], "ec -pkeyopt ec_paramgen_curve:P-256", "not RSA with at least 2048 bits"),
    ],
)
def test_refuses_transport_certificates(
    tmp_path: Path, words: List[str], new_key: str, reason: str
) -> None:
    need("openssl")
    if words:
        config = tmp_path / "openssl.cnf"
        config.write_text("[req]\ndistinguished_name=dn\n[dn]\n")
        words = ["-config", str(config)] if not _has_none() else words
    agent = Agent(tmp_path, *words, new_key=new_key)
    with Platform() as platform:
        reply = agent.ask(platform)
    assert reply.status == 400
    assert reason in reply.body.decode()


def _has_none() -> bool:
    return run("openssl", "version").startswith(b"OpenSSL 3")


def test_refuses_what_openssl_cannot_encrypt_to(agent: Agent) -> None:
    """The outer form is that of a certificate, but a length inside is not."""
    # The signature's algorithm becomes unknown nonsense.
    place = agent.der.index(bytes.fromhex("2a864886f70d01010b"))
    der = agent.der[: place - 1] + b"\x00" + agent.der[place:]
    with play() as platform:
        headers = change(agent, CERT, base64.b64encode(der).decode())
        reply = ask(platform.wireserver, "GET", target_of(platform), headers)
    assert reply.status == 400
    assert "cannot encrypt to the transport certificate: openssl cms failed" in reply.body.decode()


def test_the_url_must_be_this_vms_and_of_this_incarnation(agent: Agent) -> None:
    with play() as platform:
        target = target_of(platform)
        assert "%2D" in target
        other = re.sub("/machine/[^/]*/", "/machine/another/", target)
        assert ask(platform.wireserver, "GET", other, agent.headers()).status == 400
        assert ask(platform.wireserver, "POST", target, agent.headers(), b"").status == 405
        platform.set_incarnation(2)
        reply = ask(platform.wireserver, "GET", target, agent.headers())
        assert (reply.status, b"incarnation 1 is out of date" in reply.body) == (410, True)
        assert agent.ask(platform).status == 200


def test_one_cipher_may_be_unknown(agent: Agent) -> None:
    with play({"ciphers": ["DES_EDE3_CBC"]}) as platform:
        assert agent.ask(platform, "AES128_CBC").status == 400
        assert agent.ask(platform, "DES_EDE3_CBC").status == 200


def variant(agent: Agent, name: str) -> Any:
    """Ask a platform that plays a variant once; returns that answer and the one after it."""
    with play(certificates=[{"variant": name}]) as platform:
        return agent.ask(platform), agent.ask(platform)


@pytest.mark.parametrize(
    "name, form",
    [("no-format", None), ("empty-format", ""), ("other-format", "CertificatesNonPfxPackage")],
)
def test_variants_of_the_format(agent: Agent, name: str, form: Any) -> None:
    first, second = variant(agent, name)
    assert ElementTree.fromstring(first.body).findtext("Format") == form
    assert data_of(first)
    assert ElementTree.fromstring(second.body).findtext("Format") == "Pkcs7BlobWithPfxContents"


def test_variants_of_the_data(agent: Agent) -> None:
    first, second = variant(agent, "no-data")
    assert ElementTree.fromstring(first.body).find("Data") is None
    whole = data_of(second)
    assert len(data_of(variant(agent, "cut-data")[0])) == len(whole) * 2 // 3
    assert b"????" in variant(agent, "not-base64")[0].body
    huge = variant(agent, "huge")[0].body
    assert len(huge) > 50000000 and huge.endswith(b"</CertificateFile>\n")
    assert variant(agent, "bom")[0].body.startswith(b"\xef\xbb\xbf<?xml")
    crlf = variant(agent, "crlf")[0].body
    assert crlf.count(b"\n") == crlf.count(b"\r\n") > 50


@pytest.mark.parametrize(
    "name, says",
    [
        ("cut-data", "cms"),
        ("flipped-data", "pkcs12"),
        ("other-recipient", "cms"),
        ("other-key", "pkcs12"),
    ],
)
def test_broken_bundles_give_nothing(agent: Agent, name: str, says: str) -> None:
    """What openssl makes of them is an error, sooner or later; never certificates."""
    data = data_of(variant(agent, name)[0])
    ended = agent.decrypt(data)
    if name == "other-key":
        identifier = run(
            "openssl", "x509", "-noout", "-ext", "subjectKeyIdentifier", "-in", agent.certificate
        )
        assert bytes.fromhex(identifier.split()[-1].decode().replace(":", "")) in data, (
            "it names this recipient"
        )
    if says == "cms":
        assert ended.returncode != 0
    if ended.returncode == 0:
        opened = subprocess.run(
            ["openssl", "pkcs12", "-nodes", "-passin", "pass:"],
            input=ended.stdout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert opened.returncode != 0 and not CERTIFICATE.search(opened.stdout)


def test_ordinary_faults_are_played_on_certificates(agent: Agent) -> None:
    with play(certificates=[{"status": 503}, {"variant": "no-data"}]) as platform:
        assert get_goal_state(platform).status == 200
        assert agent.ask(platform).status == 503
        stale = target_of(platform).replace("incarnation=1", "incarnation=0")
        assert ask(platform.wireserver, "GET", stale, agent.headers()).status == 410
        assert b"<Data>" not in agent.ask(platform).body, (
            "the step waited for who gets the document"
        )
        assert b"<Data>" in agent.ask(platform).body


def write_pem(folder: Path) -> Path:
    """Write those pairs as files of a directory, keys first, with a file that is none of its
    business.
    """
    folder.mkdir()
    (one, key), (two, other), (three, _) = pairs()
    (folder / "a.key").write_text(other + key)
    (folder / "b.crt").write_text("a remark\n" + one)
    (folder / "c.pem").write_text(two + three)
    (folder / "notes.txt").write_text(
        "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"
    )
    return folder


def test_certificates_from_files(agent: Agent, tmp_path: Path) -> None:
    folder = write_pem(tmp_path / "certificates")
    with Platform(certificates=str(folder)) as platform:
        pem = agent.unpack(agent.ask(platform))
        assert [pair.key is None for pair in platform.certificates] == [False, False, True]
    assert public_keys(pem)[:2] == keys_of(pem)[::-1]
    (tmp_path / "one.pem").write_text("".join(pairs()[0]))
    assert len(load_pairs(str(tmp_path / "one.pem"))) == 1


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "has no PEM certificate"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "an encrypted private key",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "openssl pkey failed"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "openssl x509 failed"),
        ("{three}{key}", "belongs to none of its certificates"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    need("openssl")
    file = tmp_path / "bad.pem"
    file.write_text(text.format(three=pairs()[2][0], key=pairs()[0][1]))
    with pytest.raises(EmulatorError, match=sentence):
        Platform(certificates=str(file)).start()
    with pytest.raises(EmulatorError, match="cannot read the certificates in"):
        load_pairs(str(tmp_path / "none.pem"))


def test_a_key_of_another_certificate_is_an_error() -> None:
    need("openssl")
    with pytest.raises(EmulatorError, match="openssl pkcs12 failed"):
        Platform(certificates=[(pairs()[0][0], pairs()[1][1])]).start()


def test_without_openssl_the_error_says_so(tmp_path: Path) -> None:
    code = "from lightinit.emulator import Platform; Platform(certificates='auto').start()"
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={"PATH": str(tmp_path)}, stderr=subprocess.PIPE
    )
    assert b"install openssl" in ended.stderr
    code = "from lightinit.emulator import Platform; Platform().start()"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, env={"PATH": str(tmp_path)}
        ).returncode
        == 0
    )


def test_nothing_is_left_in_the_temporary_directory(agent: Agent, tmp_path: Path) -> None:
    code = (
        "from lightinit.emulator import Platform\nwith Platform(certificates='auto') as p: assert"
        " p.certificates[0].key"
    )
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    (tmp_path / "tmp").mkdir()
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=dict(os.environ, TMPDIR=str(tmp_path / "tmp")),
        check=True,
    )
    assert os.listdir(str(tmp_path / "tmp")) == []


@pytest.mark.parametrize(
    "options, sentence",
    [
        ([], "must be an object"),
        ({"cout": 1}, "unknown key 'cout'"),
        ({"count": -1}, "count must be a number"),
        ({"without_key": True}, "without_key must be"),
        ({"pkcs12": "old"}, "pkcs12 must be one of modern"),
        ({"padding": "none"}, "padding must be one of pkcs1, oaep"),
        ({"ciphers": []}, "ciphers must be a list"),
        ({"ciphers": ["AES"]}, "ciphers must be a list of AES128_CBC and DES_EDE3_CBC"),
    ],
)
def test_wrong_options_are_explained(options: Any, sentence: str) -> None:
    assert [problem for problem in find_option_problems(options) if sentence in problem]


def test_imds_has_no_certificates() -> None:
    with Platform() as platform:
        assert (
            ask(
                platform.imds, "GET", "/machine/a/b?comp=certificates", dict(WIRE, **METADATA)
            ).status
            == 404
        )
    assert set(CIPHERS) == {"AES128_CBC", "DES_EDE3_CBC"} and Pair(b"x").key is None
