"""IMDS and the provisioning media joined: who wins, and what only one of them knows."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, List

import pytest

from lightinit.datasources.azure.instance import join, suffices, wanted_fingerprints, with_keys
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.model import Certificate, SshKey, User

IMDS_KEY = (
    "ssh-ed25519 "
    + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"i" * 32).decode()
)
MEDIA_KEY = (
    "ssh-ed25519 "
    + base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"m" * 32).decode()
)
DOCUMENT: Dict[str, Any] = {
    "compute": {
        "name": "resource",
        "vmId": "v",
        "publicKeys": [{"keyData": IMDS_KEY, "path": ""}],
        "osProfile": {
            "adminUsername": "imds",
            "computerName": "of-imds",
            "disablePasswordAuthentication": "true",
        },
    }
}
MEDIA = OvfEnvironment(
    "of-media",
    "media",
    "pass:wörd ",
    True,
    "Y3VzdG9t",
    (SshKey(MEDIA_KEY),),
    False,
    "",
    True,
    None,
    ("odd",),
)


def test_imds_wins_where_both_speak_and_the_password_is_the_medias() -> None:
    warnings: List[str] = []
    instance = join("id", DOCUMENT, MEDIA._replace(user_name="imds"), warnings)
    assert instance.admin == User("imds", (SshKey(IMDS_KEY),), False, "pass:wörd ")
    assert instance.hostnames == ("of-imds", "of-media", "resource")
    assert instance.custom_data == "Y3VzdG9t" and instance.raw["imds"] == DOCUMENT
    assert warnings == ["odd"]


def with_keys_of_imds(*keys: Any, **more: Any) -> Dict[str, Any]:
    return {
        "compute": dict(
            DOCUMENT["compute"], publicKeys=[{"keyData": key, "path": ""} for key in keys], **more
        )
    }


@pytest.mark.parametrize("said", ["true", "false", None])
def test_media_that_name_another_admin_give_nothing(said: Any) -> None:
    """S1: neither password nor keys, custom data, host name or password login."""
    warnings: List[str] = []
    profile = dict(DOCUMENT["compute"]["osProfile"], disablePasswordAuthentication=said)
    login = {"true": False, "false": True, None: None}[said]
    for keys in ((IMDS_KEY,), ()):
        document = with_keys_of_imds(*keys, osProfile=profile)
        instance = join("id", document, MEDIA, warnings)
        assert instance.admin == User("imds", tuple(SshKey(key) for key in keys), login)
        assert (instance.custom_data, instance.hostnames) == ("", ("of-imds", "resource"))
        assert instance.raw["ovf"]["user_name"] == "media", "but it can be seen"
    assert (
        "imds names the admin 'imds', the provisioning media name 'media': using the admin of imds"
        in warnings[1]
    )


@pytest.mark.parametrize("pool", [{"preprovisioned": True}, {"preprovisioned_type": "Savable"}])
def test_a_pools_password_and_keys_open_nothing_of_the_owners(pool: Dict[str, Any]) -> None:
    """P2: the media may still be the pool's, with an admin of another name or of the same."""
    warnings: List[str] = []
    media = MEDIA._replace(**pool)
    assert join("id", DOCUMENT, media, warnings).admin == User("imds", (SshKey(IMDS_KEY),), False)
    assert join("id", with_keys_of_imds(), media, []).admin == User("imds", (), False)
    assert "the provisioning media of the pool name 'media'" in warnings[1]
    owned = dict(DOCUMENT, extended={"compute": {"ppsType": "None"}})
    same = media._replace(user_name="imds")
    instance = join("id", owned, same, warnings)
    assert instance.admin == User("imds", (SshKey(IMDS_KEY),), False)
    assert instance.custom_data == "" and "nothing of the media is used" in warnings[-1]
    in_pool = dict(DOCUMENT, extended={"compute": {"ppsType": "Running"}})
    joined = join("id", in_pool, same, []).admin
    assert joined is not None and joined.password, "the settings say that there is no owner"


@pytest.mark.parametrize("keys", [("ssh-rsa AAAA",), ("ssh-rsa AAAA", "nonsense"), ()])
def test_the_medias_keys_where_none_of_imds_is_a_key(keys: Any) -> None:
    named = MEDIA._replace(user_name="imds", ssh_keys=(SshKey(MEDIA_KEY), SshKey("", "p", "AB")))
    instance = join("id", with_keys_of_imds(*keys), named, [])
    assert instance.admin is not None
    assert instance.admin.ssh_keys == tuple(SshKey(key) for key in keys) + named.ssh_keys
    assert wanted_fingerprints(instance) == ("AB",)
    mixed = join("id", with_keys_of_imds("ssh-rsa AAAA", IMDS_KEY), named, []).admin
    assert mixed is not None and mixed.ssh_keys == (SshKey("ssh-rsa AAAA"), SshKey(IMDS_KEY))


def test_imds_keys_are_the_medias_accounts_where_imds_names_none() -> None:
    document = with_keys_of_imds(IMDS_KEY, osProfile={})
    assert join("id", document, MEDIA, []).admin == User(
        "media", (SshKey(IMDS_KEY),), True, "pass:wörd "
    )
    assert join("id", document, MEDIA._replace(user_name=""), []).admin is None


def test_an_owner_counts_before_the_pools_admin() -> None:
    warnings: List[str] = []
    admin = join("id", DOCUMENT, MEDIA, warnings, is_owners=True).admin
    assert admin == User("media", (SshKey(MEDIA_KEY),), True, "pass:wörd ")
    assert "imds still names the admin 'imds'" in warnings[-1]
    assert join("id", DOCUMENT, OvfEnvironment(), [], is_owners=True).admin == User(
        "imds", (SshKey(IMDS_KEY),), False
    )


def test_the_media_alone() -> None:
    instance = join("id", None, MEDIA, [])
    assert instance.admin == User("media", (SshKey(MEDIA_KEY),), True, "pass:wörd ")
    assert (instance.id, instance.platform, instance.hostnames) == ("id", "azure", ("of-media",))


def test_imds_alone() -> None:
    warnings: List[str] = []
    instance = join("id", DOCUMENT, None, warnings)
    assert (
        instance.hostnames == ("of-imds", "resource")
        and instance.custom_data == ""
        and "ovf" not in instance.raw
    )
    assert not warnings


def test_without_a_profile_the_medias_name_is_the_computers() -> None:
    document = {"compute": {"name": "resource", "publicKeys": DOCUMENT["compute"]["publicKeys"]}}
    instance = join("id", document, MEDIA, [])
    assert instance.hostnames == ("of-media", "resource")
    assert instance.admin is not None and (instance.admin.name, instance.admin.password_login) == (
        "media",
        True,
    )


def test_what_is_shown_has_no_secret() -> None:
    shown = json.dumps(join("id", DOCUMENT, MEDIA, []).raw["ovf"], ensure_ascii=False)
    assert "pass:" not in shown and "Y3VzdG9t" not in shown
    assert '"has_password": true' in shown and '"user_name": "media"' in shown


@pytest.mark.parametrize(
    "environment, enough",
    [
        (None, False),
        (OvfEnvironment(), False),
        (OvfEnvironment(user_name="a"), False),
        (OvfEnvironment(password="p"), False),
        (OvfEnvironment(user_name="a", password="p"), True),
        (OvfEnvironment(user_name="a", ssh_keys=(SshKey("k"),)), True),
    ],
)
def test_when_the_media_are_enough(environment: Any, enough: bool) -> None:
    assert suffices(environment) is enough


def test_certificates_are_wanted_only_for_keys_that_nobody_gave() -> None:
    named = OvfEnvironment(user_name="a", ssh_keys=(SshKey("", "p", "AB"), SshKey("", "q", "CD")))
    assert wanted_fingerprints(join("id", None, named, [])) == ("AB", "CD")
    assert wanted_fingerprints(join("id", DOCUMENT, named, [])) == ()
    mixed = OvfEnvironment(user_name="a", ssh_keys=(SshKey("ssh-rsa x"), SshKey("", "q", "CD")))
    assert wanted_fingerprints(join("id", None, mixed, [])) == ("CD",)
    assert wanted_fingerprints(join("id", None, None, [])) == ()


def test_keys_that_name_a_certificate_become_it() -> None:
    admin = User("a", (SshKey("", "p", "AB"), SshKey("", "q", "CD"), SshKey("ssh-rsa x", "", "AB")))
    found = with_keys(admin, (Certificate("AB", "PEM of AB", "private"),))
    assert found == User(
        "a", (SshKey("PEM of AB", "p", "AB"), SshKey("", "q", "CD"), SshKey("ssh-rsa x", "", "AB"))
    )
    assert with_keys(None, ()) is None
