"""The walk over EC2's values, with services that are not quite Amazon's."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest

from lightinit.datasources.ec2.crawl import crawl
from lightinit.datasources.metadata import NotFoundError
from lightinit.errors import ProvisioningError
from lightinit.formats.ec2.instance import read_keys

KEY, OTHER = "ssh-ed25519 AAAAC3 ada", "ssh-rsa AAAAB3 bob"
LIST = "public-keys/"
FIRST = "public-keys/0/openssh-key"
PLAIN = {"": "instance-id\nlocal-hostname\npublic-keys", "instance-id": "i-1"}
NAMED = {**PLAIN, LIST: "0=a", FIRST: KEY, "local-hostname": "web"}


def walk(values: Dict[str, Any]) -> Tuple[Any, Tuple[str, ...], List[str]]:
    """(tree, warnings, asked) of a service with these values; an error is raised."""
    asked = []

    def get(path: str, needed: bool) -> bytes:
        asked.append(path)
        found = values.get(path, NotFoundError("absent"))
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, bytes) else str(found).encode()

    tree, warnings = crawl(get)
    return tree, warnings, asked


@pytest.mark.parametrize(
    "changes, keys, told",
    [
        ({}, [KEY], ""),
        ({LIST: KEY + "\r\n" + OTHER + "\n"}, [KEY, OTHER], ""),  # as CloudStack
        ({LIST: NotFoundError("absent"), "public-keys": KEY}, [KEY], ""),
        ({LIST: NotFoundError("absent"), "public-keys": "0=a"}, [KEY], ""),
        ({LIST: "0/"}, [KEY], ""),
        ({LIST: "0"}, [KEY], ""),
        ({LIST: "0=a\n1=a", "public-keys/1/openssh-key": OTHER}, [KEY, OTHER], ""),
        ({FIRST: KEY.encode() + b" jos\xe9\0"}, [KEY + " jos\ufffd\ufffd"], ""),
        ({LIST: ""}, [], ""),
        ({LIST: "0="}, [KEY], ""),
        ({LIST: b"0=caf\xe9\0"}, [KEY], ""),
        ({LIST: "0=my key\n=x\n"}, [KEY], "what names no key: '=x'"),
        ({LIST: "<html>\n<body>"}, [], "what names no key: '<html>'"),
        ({LIST: "0=a\n1=b", "public-keys/1/openssh-key": OTHER, FIRST: ""}, [OTHER], FIRST),
        ({FIRST: NotFoundError("absent")}, [], FIRST),
        ({LIST: NotFoundError("absent")}, [], "lists meta-data/public-keys, but has nothing"),
        # No list of values: what a boot needs is asked for by its usual names.
        ({"": NotFoundError("absent")}, [KEY], "lists no values"),
        ({"": "<html><body>"}, [KEY], "lists no values"),
        ({"": ProvisioningError("not ready")}, [KEY], "lists no values at meta-data/ (not ready)"),
        ({"": b"\xff"}, [KEY], "lists no values at meta-data/ (metadata value is not text"),
        ({"": '{"instance-id": "i-1"}', LIST: NotFoundError("absent")}, [], "lists no values"),
        ({"local-hostname": b"\xff"}, [KEY], "local-hostname is left out"),
    ],
)
def test_no_key_is_lost_in_silence(changes: Dict[str, Any], keys: List[str], told: str) -> None:
    tree, warnings, asked = walk({**NAMED, **changes})
    assert [key.text for key in read_keys(tree)] == keys
    assert tree["instance-id"] == "i-1" and len(asked) == len(set(asked))
    assert [told in text for text in warnings] == [True] * bool(told), warnings


def test_the_first_of_far_too_many_keys_are_used() -> None:
    many = {"public-keys/%d/openssh-key" % number: KEY for number in range(600)}
    listed = "\n".join("%d=k%d" % (number, number) for number in range(600))
    tree, warnings, _ = walk({**NAMED, LIST: listed, **many})
    assert len(read_keys(tree)) > 300 and "metadata are cut at public-keys/" in warnings[0]
    _, warnings, _ = walk({**NAMED, LIST: listed})
    assert len(warnings) == 11 and "more warnings like these" in warnings[-1]


def test_slow_answers_end_with_the_time() -> None:
    asked: List[str] = []

    def get(path: str, needed: bool) -> bytes:
        asked.append(path)
        return str(NAMED.get(path, "tags/")).encode()

    tree, warnings = crawl(get, lambda: len(asked) > 2)
    assert [key.text for key in read_keys(tree)] == [KEY] and asked[-1] == FIRST
    assert warnings == ("metadata are cut at local-hostname: the time is over",)


def test_a_key_that_is_denied_fails_the_boot() -> None:
    with pytest.raises(ProvisioningError, match="denied"):
        walk({**NAMED, FIRST: ProvisioningError("denied")})
