"""Goal states and version lists, whole and broken."""

from __future__ import annotations

import random

import pytest

from lightinit.errors import LightinitError, MalformedError, TransientError
from lightinit.formats.azure.goal_state import parse_goal_state, parse_versions
from lightinit.model import GoalState

URL = "http://168.63.129.16:80/machine/c0%2D1/i?comp=certificates&amp;incarnation=1"
WHOLE = (
    """<?xml version="1.0" encoding="utf-8"?>
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="goalstate10.xsd">
  <Version>2012-11-30</Version>
  <Incarnation>17</Incarnation>
  <Machine>
    <ExpectedState>Started</ExpectedState>
    <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
    <LBProbePorts><Port>16001</Port></LBProbePorts>
    <ExpectHealthReport>FALSE</ExpectHealthReport>
  </Machine>
  <Container>
    <ContainerId> 8ddd5b3e-0000-4d61-9e3f-1d0f9a9b7c11 </ContainerId>
    <RoleInstanceList>
      <RoleInstance>
        <InstanceId>0b9a.b-c_1</InstanceId>
        <State>Started</State>
        <Configuration>
          <FullConfig>http://168.63.129.16:80/machine/full</FullConfig>
          <Certificates>%s</Certificates>
        </Configuration>
      </RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>
"""
    % URL
)


def test_a_whole_goal_state() -> None:
    assert parse_goal_state(WHOLE.encode()) == GoalState(
        incarnation="17",
        container_id="8ddd5b3e-0000-4d61-9e3f-1d0f9a9b7c11",
        role_instance_id="0b9a.b-c_1",
        version="2012-11-30",
        expected_state="Started",
        certificates_url="http://168.63.129.16:80/machine/c0%2D1/i?comp=certificates&incarnation=1",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + WHOLE.encode(),
        WHOLE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode(),
        WHOLE.replace('encoding="utf-8"', 'encoding="utf-16"').encode(),
    ],
    ids=["bom", "crlf", "both", "wrong encoding declared"],
)
def test_the_same_in_other_dress(data: bytes) -> None:
    assert parse_goal_state(data) == parse_goal_state(WHOLE.encode())


def test_certificates_may_be_absent() -> None:
    text = WHOLE.replace("<Certificates>%s</Certificates>" % URL, "")
    assert parse_goal_state(text.encode()).certificates_url is None


@pytest.mark.parametrize(
    "cut, field",
    [
        ("<Incarnation>17</Incarnation>", "GoalState/Incarnation"),
        (
            "<ContainerId> 8ddd5b3e-0000-4d61-9e3f-1d0f9a9b7c11 </ContainerId>",
            "GoalState/Container/ContainerId",
        ),
        (
            "<InstanceId>0b9a.b-c_1</InstanceId>",
            "GoalState/Container/RoleInstanceList/RoleInstance/InstanceId",
        ),
    ],
)
def test_a_missing_field_is_named(cut: str, field: str) -> None:
    assert cut in WHOLE
    for replacement in ("", cut.split(">")[0] + "> </" + cut.split("</")[1]):
        with pytest.raises(MalformedError) as caught:
            parse_goal_state(WHOLE.replace(cut, replacement).encode())
        assert caught.value.reason == "xml field is missing"
        assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    "inner", ["", "<RoleInstanceList/>", "<RoleInstanceList></RoleInstanceList>"]
)
def test_no_role_instance_yet_is_worth_waiting_for(inner: str) -> None:
    start, end = (
        WHOLE.index("<RoleInstanceList>"),
        WHOLE.index("</RoleInstanceList>") + len("</RoleInstanceList>"),
    )
    with pytest.raises(TransientError, match="no role instance yet"):
        parse_goal_state((WHOLE[:start] + inner + WHOLE[end:]).encode())


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">\
<!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<GoalState><Incarnation>&b;</Incarnation></GoalState>"""


@pytest.mark.parametrize(
    "data, reason",
    [
        (BOMB.encode(), "xml document has a document type"),
        (b"<!DOCTYPE GoalState><GoalState/>", "xml document has a document type"),
        (b"<!doctype GoalState><GoalState/>", "xml document is not well-formed"),
        (BOMB.encode("utf-16"), "xml document has a document type"),
        (BOMB.encode("utf-16-le"), "xml document has a document type"),
        (BOMB.encode("utf-16-be"), "xml document has a document type"),
        (BOMB.encode("utf-32"), "xml document has a document type"),
        (BOMB.encode("utf-16")[2:-1], "xml document is not utf-8"),
        (b"<GoalState><!ENTITY x 'y'></GoalState>", "xml document has a document type"),
        (
            b"<GoalState><Incarnation>&undeclared;</Incarnation></GoalState>",
            "xml document is not well-formed",
        ),
        (b"", "xml document is not well-formed"),
        (b"<html><body>Welcome to the hotel</body></html>", "xml document is of another kind"),
        (b"<GoalState>" + b"<a>" * 40 + b"</a>" * 40 + b"</GoalState>", "too deep"),
        (b"<GoalState>" + b"<a/>" * 30000 + b"</GoalState>", "too many elements"),
        (b"<GoalState>" + b" " * 1024 * 1024 + b"</GoalState>", "xml document is too large"),
        (b"x" * (50 * 1024 * 1024), "xml document is too large"),
        (b"\xff\xfe", "xml document is not well-formed"),
        (WHOLE.replace("0b9a", "0b9a&#7;").encode(), "not well-formed"),
        (WHOLE.replace("0b9a", "0b9a&#9;x").encode(), "xml field has control characters"),
        (WHOLE.replace("0b9a", "0b9a&#x202e;").encode(), "xml field has control characters"),
        (WHOLE.replace("0b9a", "a" * 300).encode(), "xml field is too long"),
        (WHOLE.replace("http:", "h" * 3000).encode(), "xml field is too long"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        parse_goal_state(data)


def test_every_prefix_is_refused_or_whole() -> None:
    data = WHOLE.encode()
    for length in range(len(data.rstrip()) - 1):
        with pytest.raises(MalformedError):
            parse_goal_state(data[:length])


def test_changed_bytes_give_nothing_but_our_errors() -> None:
    dice = random.Random(245)
    survived = 0
    for _ in range(3000):
        data = bytearray(WHOLE.encode())
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            state = parse_goal_state(bytes(data))
        except LightinitError:
            continue
        survived += 1
        assert state.incarnation and state.container_id and state.role_instance_id
    assert survived > 50  # or the bytes were changed so much that nothing was tested


def test_random_bytes_give_nothing_but_our_errors() -> None:
    dice = random.Random(16)
    for length in range(300):
        for parse in (parse_goal_state, parse_versions):
            with pytest.raises(LightinitError):
                parse(bytes(dice.randrange(256) for _ in range(length)))


def test_versions() -> None:
    data = (
        b"\xef\xbb\xbf<Versions><Preferred><Version>2015-04-05</Version></Preferred><Supported>"
        b"<Version>2015-04-05</Version><Version/><Version>2012-11-30</Version>"
        b"</Supported></Versions>"
    )
    assert parse_versions(data) == ("2015-04-05", "2012-11-30")


@pytest.mark.parametrize(
    "data, versions",
    [
        (
            b"<Versions><Preferred><Version>2012-11-30</Version></Preferred></Versions>",
            ("2012-11-30",),
        ),
        (
            b"<Versions><Supported><Version>2012-11-30</Version></Supported></Versions>",
            ("2012-11-30",),
        ),
    ],
)
def test_either_list_of_versions_will_do(data: bytes, versions: object) -> None:
    assert parse_versions(data) == versions


@pytest.mark.parametrize(
    "data", [b"<Versions/>", b"<Versions><Supported/></Versions>", b"<GoalState/>"]
)
def test_no_versions(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_versions(data)
