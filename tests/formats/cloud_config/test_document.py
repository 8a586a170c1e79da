"""A ``#cloud-config``: what YAML makes of it, what is told, and what is refused."""

from __future__ import annotations

from typing import Any, List

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.cloud_config import building, document
from lightinit.formats.cloud_config.document import read, read_list
from lightinit.formats.cloud_config.mistakes import Mistake, line_of, show_path
from tests.lib.needs_yaml import needs_yaml

pytestmark = needs_yaml


def values(text: str) -> Any:
    """The values of a document without mistakes."""
    found = read(text.encode())
    assert not found.mistakes
    return found.values


def told(text: str) -> List[str]:
    return [str(each) for each in read(text.encode()).mistakes]


def refused(data: bytes) -> str:
    with pytest.raises(MalformedError) as caught:
        read(data)
    return str(caught.value)


def test_plain_values_are_what_yaml_1_1_says() -> None:
    found = values(
        "#cloud-config\ntext: a b\nnumber: 7\noctal: 0644\nbool: [yes, Off, true]\nnone: ~\n"
        "real: 1.10\nday: 2032-09-01\nodd: [=, 0o644, 08]\nbinary: !!binary aGk=\nforced: !!str 5\n"
    )
    assert found == {
        "text": "a b",
        "number": 7,
        "octal": 0o644,
        "bool": [True, False, True],
        "none": None,
        "real": 1.1,
        "day": "2032-09-01",
        "odd": ["=", "0o644", "08"],
        "binary": b"hi",
        "forced": "5",
    }
    assert found["octal"].written == "0644" and found["real"].written == "1.10"


def test_lines_and_paths() -> None:
    found = read(b"#cloud-config\na: 1\nusers:\n- default\n-\n  name: x\n")
    assert found.lines[("a",)] == 2 and found.lines[("users", 1, "name")] == 6
    assert found.lines[("users", 0)] == 4
    assert line_of(("users", 1, "name", "x"), found.lines) == 6
    assert show_path(("users", 1, "name")) == "users[1].name"
    assert show_path(("a\n", "b" * 80)) == "a\\n..." + "." + "b" * 60 + "..."


def test_aliases_and_merge_keys() -> None:
    found = values("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, l: 3}\nd: {<<: [{l: 5}, *x]}\n")
    assert found["b"] == {"k": 1, "l": 2} and found["b"] is not found["a"]
    assert found["c"] == {"k": 1, "l": 3}
    assert found["d"] == {"k": 1, "l": 5}


@pytest.mark.parametrize("data", [b"a: |\r\n  x\r\n  y\r\n", b"\xef\xbb\xbfa: |\n  x\n  y\n"])
def test_line_ends_of_windows_and_byte_order_mark(data: bytes) -> None:
    assert read(data).values == {"a": "x\ny\n"}


@pytest.mark.parametrize(
    "text, says",
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, b.c: the key is there already, in line 3"),
        ("at: 12:30\n", "line 1, at: without quotes, digits with colons"),
        ("at: 1:30.5\n", "line 1, at: without quotes, digits with colons"),
        ("on: x\n", "line 1: a key is a boolean for YAML"),
        ("12: x\n", "line 1: a key is a number for YAML"),
        ("a: 1\n---\nb: 2\n", "line 2: another document begins"),
        ("a: {{ x }}\n", "line 1, a: a list or mapping stands where a key must be"),
        ("cron: *daily\n", "line 1, cron: a text without quotes begins with *"),
        ("a: &a [*a]\n", "line 1, a[0]: a text without quotes begins with *"),
        ("a: !vault x\n", "line 1, a: its tag (!...) is unknown"),
        ("a: !vault {x: y}\n", "line 1, a: its tag (!...) is unknown"),
        ("a: !!int x\n", "line 1, a: its tag (!...) is unknown, or"),
        ("a: !!binary 'a'\n", "line 1, a: its tag (!...) is unknown, or"),
        ("a: !!binary 'aG%k='\n", "line 1, a: characters that are not base64 are passed over"),
        ("a: {<<: 5}\n", "line 1, a: << takes only mappings"),
        ('a: ["x\\ud800y"]\n', "line 1, a[0]: half a surrogate pair is no character"),
        ("# nothing\n", "line 1: the document is empty"),
    ],
)
def test_a_mistake_is_told_and_the_rest_is_there(text: str, says: str) -> None:
    found = told("%s" % text)
    assert len(found) == 1 and found[0].startswith(says), found
    if "---" not in text:
        assert read(text.encode() + b"rest: kept\n").values["rest"] == "kept"


def test_what_becomes_of_the_value_with_a_mistake() -> None:
    assert read(b"a: 1\na: 2\n").values == {"a": 2}
    assert read(b"a: 12:30\non: 1\n").values == {"a": "12:30", "on": 1}
    assert read(b"a: [x, *y, z]\nb: !v q\n").values == {"a": ["x", "z"]}
    # JSON has pairs: {"a": "\U0001f600"} of json.dumps.
    assert read(b'{"a": "\\ud83d\\ude00", "b": "\\ud800"}').values == {
        "a": "\U0001f600",
        "b": "\ufffd",
    }


@pytest.mark.parametrize(
    "data, line, says",
    [
        (b"a:\n\tb: 1\n", 2, "indented with a tab); indent with spaces"),
        (b"a:\tb\n", 1, "a tab is where YAML takes only blanks"),
        (b"a: @b\n", 1, "begins with @); put the whole text in quotes"),
        (b"a: * * * * *\n", 1, "begins with * or &"),
        (b"a: %x\n", 1, "begins with %"),
        (b"x: 1\na: b: c\n", 2, "`: ` is inside a text without quotes"),
        (b"a: 'x\nb: 2\n", 1, "a quote is opened and never closed"),
        (b'a: "\\d"\n', 1, "a backslash"),
        (b"a: x\nfoo\n", 2, "neither `key: value` nor"),
        (b"a:\n   b: 1\n  c: 1\n", 3, "indentation"),
        (b"a:\n- b\n c\n  - d: e\n  f: g\n", 4, "`: ` is inside"),
        (b"a: [1, 2\nb: 3\n", 2, "a [ or { is not closed"),
        (b"a: |x\n", 1, "after | or >"),
        (b'a: "\\U0010FFFF"\nb: "\\U00110000"\n', 2, "of no character"),
        (b'b: "\\UFFFFFFFF"\n', 1, "of no character"),
        (b"#\n%YAML 1." + b"1" * 9999 + b"\n---\na: b\n", 2, "%YAML names no version"),
        (b"#\n%YAML 2.0\n---\na: b\n", 2, "%YAML names a version"),
        (b"a: \x01\n", 1, "a control character"),
        (b"a: b\nc: \0\n", 2, "a zero byte"),
        (b"a: b\nc: \xff\n", 2, "not UTF-8"),
        (b"\xff\xfea\0", 1, "UTF-16"),
    ],
)
def test_what_is_no_yaml(data: bytes, line: int, says: str) -> None:
    text = refused(data)
    assert says in text and ("line=%d," % line) in text


@pytest.mark.parametrize("data", [b"- a\n", b"just text\n", b"[a]\n"])
def test_another_shape(data: bytes) -> None:
    assert "cloud-config has another shape" in refused(data)


def test_an_archive_is_a_list() -> None:
    found = read_list(b"#cloud-config-archive\n- type: text/x-shellscript\n  content: x\n- '#!x'\n")
    assert found.items == [{"type": "text/x-shellscript", "content": "x"}, "#!x"]
    with pytest.raises(MalformedError, match="found=a mapping"):
        read_list(b"a: 1\n")
    assert read_list(b"# empty\n").mistakes


def bomb() -> bytes:
    lines = [b"a0: &a0 [" + b"x, " * 9 + b"x]\n"]
    for at in range(9):
        lines.append(b"a%d: &a%d [" % (at + 1, at + 1) + b", ".join([b"*a%d" % at] * 10) + b"]\n")
    return b"".join(lines)


def deep() -> bytes:
    """Aliases make it deep: each line is 30 levels deeper than the one before."""
    lines = [b"a0: &a0 " + b"[" * 30 + b"]" * 30 + b"\n"]
    for at in range(50):
        lines.append(
            b"a%d: &a%d " % (at + 1, at + 1) + b"[" * 30 + b"*a%d" % at + b"]" * 30 + b"\n"
        )
    return b"".join(lines)


@pytest.mark.parametrize(
    "data, why",
    [
        (bomb(), "values, counting aliases"),
        (b"a: &a " + b"x" * 500000 + b"\nb: [" + b"*a, " * 20 + b"]\n", "characters"),
        (deep(), "levels"),
        (b"a: " + b"[" * 5000, "levels"),
        (b"a: [" + b"1," * (building.NODES + 9) + b"]", "values"),
        (b"a" * (document.LIMIT_BYTES + 1), "bytes="),
        (b"a" * 100000000, "bytes="),
    ],
    ids=["aliases", "long aliases", "deep aliases", "deep", "many", "long", "100 MB"],
)
@pytest.mark.long
def test_bounds(data: bytes, why: str) -> None:
    text = refused(data)
    assert text.startswith("cloud-config is too large (") and why in text


def test_nothing_of_the_document_is_told() -> None:
    """It may be a secret."""
    for text in (
        "password: @s3cret\n",
        "password: *s3cret\n",
        'password: "\\s3cret"\n',
        "p: !s3cret x",
    ):
        try:
            said = "".join(told(text))
        except MalformedError as error:
            said = str(error)
        assert said and "s3cret" not in said
    assert "s3cret" not in repr(read(b"password: s3cret\n"))


def test_a_mistake_as_text() -> None:
    assert str(Mistake((), "bad", "mend it")) == "bad; mend it"
    assert str(Mistake(("a", 0), "bad", "mend it", 3)) == "line 3, a[0]: bad; mend it"
