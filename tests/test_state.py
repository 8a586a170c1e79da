"""State: what is saved is loaded again, secrets lie apart, damage means 'not there'."""

from __future__ import annotations

import os
import stat
from typing import Any, Iterator, Tuple

import pytest

from lightinit.formats.instance_id import swap_byte_order
from lightinit.formats.secrets import redact
from lightinit.host.system import System
from lightinit.model import Certificate, InjectedFile, Instance, Network, SshKey, User
from lightinit.state import SECRETS, State, current_instance, find_instance
from tests.lib.scratch import OTHER_UUID, UUID

INSTANCE = Instance(
    UUID,
    "azure",
    ("web-1", "vm-1"),
    User("alice", (SshKey("ssh-rsa AAAA", "/p"), SshKey("x")), False),
    UUID,
    "westeurope",
    "Standard_B1s",
    "rg",
    "sub",
    "",
    "1",
    {"a": "b"},
    "c2VjcmV0",
    {"imds": {"compute": {"userData": "c2VjcmV0"}}},
    public_keys=(SshKey("ssh-rsa BBBB"),),
    vendor_data="c2VjcmV0",
    subplatform="seed-dir (/seed)",
    files=(InjectedFile("/etc/motd", "c2VjcmV0"),),
)


def test_an_instance_comes_back_as_it_was(tmp_path: Any) -> None:
    state = State(System(str(tmp_path)), UUID)
    state.save_instance(INSTANCE, redact)
    assert state.load_instance() == INSTANCE


def test_without_an_admin_too(tmp_path: Any) -> None:
    state = State(System(str(tmp_path)), UUID)
    state.save_instance(Instance(UUID), redact)
    assert state.load_instance() == Instance(UUID)


def test_secrets_are_roots_alone(tmp_path: Any) -> None:
    state = State(System(str(tmp_path)), UUID)
    state.save_instance(INSTANCE, redact)
    folder = str(tmp_path) + state.folder
    assert stat.S_IMODE(os.stat(folder + "/instance.json").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder + "/instance-public.json").st_mode) == 0o644
    with open(folder + "/instance-public.json", encoding="utf-8") as handle:
        told = handle.read()
    assert "c2VjcmV0" not in told and "/etc/motd" in told


WITH_SECRETS = Instance(
    UUID,
    admin=User("alice", password="pass:wörd"),
    custom_data="Y3VzdG9t",
    certificates=(Certificate("AB", "cert", "private"), Certificate("CD", "other")),
)


def test_a_password_and_private_keys_lie_in_run_alone_until_they_are_forgotten(
    tmp_path: Any,
) -> None:
    state = State(System(str(tmp_path)), UUID)
    state.save_instance(WITH_SECRETS, redact)
    assert state.load_instance(with_secrets=True) == WITH_SECRETS
    assert stat.S_IMODE(os.stat(str(tmp_path) + SECRETS).st_mode) == 0o600
    folder = str(tmp_path) + state.folder
    for name in os.listdir(folder):
        with open(folder + "/" + name, encoding="utf-8") as handle:
            assert "pass:" not in handle.read() and "private" not in handle.read()
    with open(folder + "/instance-public.json", encoding="utf-8") as handle:
        assert "Y3VzdG9t" not in handle.read()
    state.forget_secrets()
    assert state.load_instance(with_secrets=True) is None, "fetch anew"
    without = state.load_instance()
    assert without is not None and without.admin == User("alice", had_password=True)
    assert without.certificates == (
        Certificate("AB", "cert", had_key=True),
        Certificate("CD", "other"),
    )


def test_secrets_of_another_instance_are_none(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    State(system, UUID).save_instance(WITH_SECRETS, redact)
    State(system, OTHER_UUID).save_instance(WITH_SECRETS, redact)
    assert State(system, UUID).load_instance(with_secrets=True) is None
    State(system, OTHER_UUID).save_instance(Instance(OTHER_UUID), redact)
    assert not os.path.exists(str(tmp_path) + SECRETS)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"admin": 1, "hostnames": []}', "\x00", '{"id": ']
)
def test_damage_means_not_there(tmp_path: Any, content: str) -> None:
    system = System(str(tmp_path))
    state = State(system, UUID)
    for name in ("instance", "network"):
        system.write("%s/%s.json" % (state.folder, name), content.encode())
    assert state.load_instance() is None
    assert state.load_network() is None


def test_a_network_comes_back_as_it_was(tmp_path: Any) -> None:
    state = State(System(str(tmp_path)), UUID)
    network = Network("168.63.129.16", "eth0", "10.0.0.4", "dhclient", "/f", True, ("careful",))
    state.save_network(network)
    assert state.load_network() == network


def test_one_instance_in_any_spelling(tmp_path: Any) -> None:
    system = System(str(tmp_path))
    State(system, UUID).make_current()
    for shown in (UUID, UUID.upper(), swap_byte_order(UUID), swap_byte_order(UUID).upper()):
        assert find_instance(system, shown) == UUID
    assert find_instance(system, OTHER_UUID) == OTHER_UUID
    assert current_instance(system) == UUID
    State(system, OTHER_UUID).make_current()
    assert current_instance(system) == OTHER_UUID


NONSENSE: Tuple[Any, ...] = (None, True, 7, 1e400, 10**400, "x", "\0", [], [7], [[]], {}, {"a": 7})


def _spoilt(data: Any) -> Iterator[Any]:
    """``data`` with each value in turn replaced by each nonsense, at any depth."""
    if isinstance(data, dict):
        for key, value in data.items():
            for other in list(_spoilt(value)) + list(NONSENSE):
                yield dict(data, **{key: other})
            yield {name: each for name, each in data.items() if name != key}
        yield dict(data, unknown=1)
    elif isinstance(data, list):
        for at, value in enumerate(data):
            for other in list(_spoilt(value)) + list(NONSENSE):
                yield data[:at] + [other] + data[at + 1 :]


@pytest.mark.parametrize("name", ["network", "instance"])
def test_values_of_wrong_types_are_damage_and_never_an_exception(tmp_path: Any, name: str) -> None:
    """N4: network.json with wrong types, and our other records."""
    system = System(str(tmp_path))
    state = State(system, UUID)
    state.save_network(Network("1.2.3.4", "eth0", "10.0.0.4", warnings=("a",)))
    state.save_instance(WITH_SECRETS, lambda data: data)
    before = state.load_network() if name == "network" else state.load_instance()
    whole = state.load(name)
    count = 0
    for spoilt in _spoilt(whole):
        state.save(name, spoilt, durable=False)
        found: Any = state.load_network() if name == "network" else state.load_instance()
        assert found is None or type(found) is type(before)
        if found is not None:
            for field, value in found._asdict().items():
                other = getattr(before, field)
                assert value is None or other is None or isinstance(value, type(other)), field
        count += 1
    assert count > 80


@pytest.mark.parametrize("text", ["7", "[]", '"x"', "null", '{"keys": [], "password": 7}'])
def test_secrets_of_another_form_are_not_there(tmp_path: Any, text: str) -> None:
    """N4: the file in /run."""
    system = System(str(tmp_path))
    state = State(system, UUID)
    state.save_instance(WITH_SECRETS, lambda data: data)
    spoilt = text.replace("{", '{"instance": "%s", ' % UUID)
    system.write("/run/lightinit/secrets.json", spoilt.encode())
    found = state.load_instance()
    assert found is not None and found.admin is not None


def test_a_full_run_keeps_the_secrets_in_this_process(tmp_path: Any) -> None:
    """N7: /run has no space: no VM is lost for it."""
    system = System(str(tmp_path))
    state = State(system, UUID)
    system.make_dir("/run/lightinit/secrets.json")  # nothing can be written there
    state.save_instance(WITH_SECRETS, lambda data: data)
    assert state.load_instance() is not None
    assert state.load_instance(with_secrets=True) is None, "the next process fetches anew"
