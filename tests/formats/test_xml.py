"""XML: what is read from a document, what is refused, and what is escaped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from lightinit.errors import MalformedError
from lightinit.formats import xml

DOCUMENT = b"""<?xml version="1.0" encoding="utf-8"?>
<a:Root xmlns:a="urn:a"><Item> one </Item><a:Item>two</a:Item><Deep><Item/></Deep></a:Root>
"""


def test_elements_have_names_without_prefixes_and_texts() -> None:
    root = xml.parse(DOCUMENT, "Root")
    assert (root.name, root.namespace) == ("Root", "urn:a")
    assert [(item.namespace, item.value()) for item in root.find_all("Item")] == [
        ("", "one"),
        ("urn:a", "two"),
    ]
    assert root.value("Item") == root.required("Item") == "one"
    assert root.find("Deep", "Item") is not None and root.value("Deep", "Item") == ""
    assert root.find("Deep", "Other") is None and root.value("Deep", "Other") == ""


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_and_any_line_ends_are_accepted(mark: bytes) -> None:
    root = xml.parse(mark + DOCUMENT.replace(b"\n", b"\r\n"), "Root")
    assert root.value("Item") == "one"


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "xml document is not well-formed"),
        (b"<a>", "xml document is not well-formed"),
        (b"<b/>", "xml document is of another kind"),
        (b"<a>\xff</a>", "xml document is not utf-8"),
        ("<a/>".encode("utf-16-le")[:-1], "xml document is not utf-8"),
        ("<a>b\0</a>".encode("utf-16"), "xml document is not utf-8"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "xml document has a document type"),
        (b"<?xml version='1.0' encoding='koi8-r'?><a>\xff</a>", "xml document is not utf-8"),
        (b"<!DOCTYPE a><a/>", "xml document has a document type"),
        (b'<a><!ENTITY b "c"></a>', "xml document has a document type"),
        (b"<a>" * 33 + b"</a>" * 33, "xml document is too deep or has too many elements"),
        (b"<a>" + b"<b/>" * 20000 + b"</a>", "xml document is too deep or has too many elements"),
        (b"<a>" + b" " * xml.LIMIT_BYTES + b"</a>", "xml document is too large"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as raised:
        xml.parse(data, "a")
    assert raised.value.reason == reason


def test_a_document_at_its_limits_is_read() -> None:
    assert xml.parse(b"<a>" * 32 + b"</a>" * 32, "a").find(*["a"] * 31) is not None
    assert len(xml.parse(b"<a>" + b"<b/>" * 19999 + b"</a>", "a").children) == 19999


@pytest.mark.parametrize(
    "text, reason",
    [
        ("x" * 513, "xml field is too long"),
        ("a&#10;b", "xml field has control characters"),
        (" \n", "xml field is missing"),
    ],
    ids=["long", "control", "missing"],
)
def test_a_field_that_is_refused_is_named(text: str, reason: str) -> None:
    root = xml.parse(("<Root><Field>%s</Field></Root>" % text).encode(), "Root")
    with pytest.raises(MalformedError) as raised:
        root.required("Field")
    assert raised.value.reason == reason and raised.value.details["field"] == "Root/Field"


def test_an_escaped_text_comes_back_from_another_parser() -> None:
    text = "a<b>&amp; ]]> \u00e4\U0001f600\t\n"
    assert ElementTree.fromstring("<a>%s</a>" % xml.escape(text)).text == text


@pytest.mark.parametrize("character", ["\0", "\x1b", "\r", "\ud800", "\ufffe"])
def test_what_xml_cannot_hold_becomes_a_question_mark(character: str) -> None:
    assert xml.escape("a%sb" % character) == "a?b"


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "iso-8859-1", "windows-1252"],
)
def test_other_encodings_are_read(encoding: str) -> None:
    text = "<?xml version='1.0' encoding='%s'?><a>Gr\xfc\xdfe</a>" % encoding
    assert xml.parse(text.encode(encoding), "a").text == "Gr\xfc\xdfe"
