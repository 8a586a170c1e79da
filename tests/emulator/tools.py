"""Real tools for the emulator's tests, and an agent's side of the talk about certificates. Nothing
of lightinit.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List
from xml.etree import ElementTree

import pytest

from lightinit.emulator import Platform
from tests.emulator.wire import WIRE, Reply, ask, get_goal_state

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", re.DOTALL)


def need(*names: str) -> None:
    """Skip the test, saying why, unless these programs are there. In CI (CI=true) it fails
    instead.
    """
    missing = [name for name in names if not shutil.which(name)]
    if not missing:
        return
    reason = "not installed here: " + ", ".join(missing)
    if os.environ.get("CI") == "true":
        pytest.fail("in CI nothing is skipped: " + reason)
    pytest.skip(reason)


def run(*words: str, data: bytes = b"") -> bytes:
    """Run a program that must succeed; returns its standard output."""
    done = subprocess.run(
        words, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Agent:
    """An agent with a transport certificate, made by openssl.

    Args:
        folder: where its files go.
        words: further options of ``openssl req``.
    """

    def __init__(self, folder: Path, *words: str, new_key: str = "rsa:2048") -> None:
        self.key, self.certificate = str(folder / "transport.key"), str(folder / "transport.pem")
        run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            *new_key.split(),
            "-nodes",
            "-keyout",
            self.key,
            "-out",
            self.certificate,
            "-days",
            "2",
            "-subj",
            "/CN=LinuxTransport",
            *words,
        )
        self.der = run("openssl", "x509", "-in", self.certificate, "-outform", "DER")

    def headers(self, cipher: str = "AES128_CBC") -> Dict[str, str]:
        """What a request for certificates needs."""
        return dict(
            WIRE,
            **{
                "x-ms-guest-agent-public-x509-cert": base64.b64encode(self.der).decode(),
                "x-ms-cipher-name": cipher,
            },
        )

    def ask(self, platform: Platform, cipher: str = "AES128_CBC") -> Reply:
        """Ask for the certificates as the goal state says."""
        return ask(platform.wireserver, "GET", target_of(platform), self.headers(cipher))

    def decrypt(self, cms: bytes) -> "subprocess.CompletedProcess[bytes]":
        """Have openssl decrypt an EnvelopedData that must be for this certificate."""
        return subprocess.run(
            [
                "openssl",
                "cms",
                "-decrypt",
                "-inform",
                "DER",
                "-inkey",
                self.key,
                "-recip",
                self.certificate,
            ],
            input=cms,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    def unpack(self, reply: Reply, *words: str) -> bytes:
        """Decrypt an answer down to PEM."""
        ended = self.decrypt(data_of(reply))
        assert ended.returncode == 0, ended.stderr.decode()
        return run("openssl", "pkcs12", "-nodes", "-passin", "pass:", *words, data=ended.stdout)


def target_of(platform: Platform) -> str:
    """The target of the goal state's Certificates URL."""
    root = ElementTree.fromstring(get_goal_state(platform).body)
    url = root.findtext("Container/RoleInstanceList/RoleInstance/Configuration/Certificates") or ""
    assert url.startswith("http://%s/" % platform.wireserver)
    return url[len("http://" + platform.wireserver) :]


def data_of(reply: Reply) -> bytes:
    """The bytes in an answer's Data."""
    assert reply.status == 200, reply.body
    return base64.b64decode(ElementTree.fromstring(reply.body).findtext("Data") or "")


def public_keys(pem: bytes) -> List[bytes]:
    """The public keys of the certificates in a PEM text."""
    return [
        run("openssl", "x509", "-noout", "-pubkey", data=match)
        for match in CERTIFICATE.findall(pem)
    ]


def keys_of(pem: bytes) -> List[bytes]:
    """The public keys of the private keys in a PEM text."""
    return [run("openssl", "pkey", "-pubout", data=match) for match in KEY.findall(pem)]
