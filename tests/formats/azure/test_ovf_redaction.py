"""The provisioning document without its secrets."""

from __future__ import annotations

import random
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest

from lightinit.formats.azure.ovf_redaction import STUB, redact
from tests.lib.ovf_document import CUSTOM, WHOLE, with_password


def test_all_else_stays_byte_for_byte() -> None:
    data = b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()
    expected = data.replace(b"Pa55 &amp; w&#246;rd:x", b"REDACTED").replace(
        CUSTOM.encode(), b"REDACTED"
    )
    assert redact(data) == expected != data


@pytest.mark.parametrize(
    "inside, left",
    [
        (
            "<ns1:UserPassword>hunter22hunter</ns1:UserPassword>",
            "<ns1:UserPassword>REDACTED</ns1:UserPassword>",
        ),
        (
            "<ns1:UserPassword><![CDATA[hunter22hunter]]></ns1:UserPassword >",
            "<ns1:UserPassword>REDACTED</ns1:UserPassword >",
        ),
        (
            "<UserPassword>hun<!-- ter22 -->ter<b>hunter22hunter</b></UserPassword>",
            "<UserPassword>REDACTED</UserPassword>",
        ),
        (
            "<UserPassword a='>hunter22hunter'>x</UserPassword>",
            "<UserPassword a='REDACTED'>REDACTED</UserPassword>",
        ),
        ('<UserPassword\n xsi:nil = "true" />', '<UserPassword\n xsi:nil = "true" />'),
        ("<UserPassword></UserPassword>", "<UserPassword></UserPassword>"),
        (
            "<AdminPassword>hunter22hunter</AdminPassword>",
            "<AdminPassword>REDACTED</AdminPassword>",
        ),
        ('<a userPassword="hunter22hunter" b="c"/>', '<a userPassword="REDACTED" b="c"/>'),
        (
            "<Property key='password' value='passwhunter22'/>",
            "<Property key='password' value='REDACTED'/>",
        ),
        ("<!-- password: hunter22hunter --><!-- other -->", "<!--REDACTED--><!-- other -->"),
        (
            "<?password hunter22hunter?><?password?><?a b?>",
            "<?password REDACTED?><?password?><?a b?>",
        ),
        ("<a>&lt;UserPassword>hunter22hunter&lt;/UserPassword></a>", "<a>REDACTED</a>"),
        ('<a>{"password": "hunter22hunter"}</a>', "<a>REDACTED</a>"),
        ("<a>-----BEGIN RSA PRIVATE KEY-----</a>", "<a>REDACTED</a>"),
        (
            "<DisableSshPasswordAuthentication>hunter22hunter</DisableSshPasswordAuthentication>",
            "<DisableSshPasswordAuthentication>REDACTED</DisableSshPasswordAuthentication>",
        ),
        (
            "<UserPassword>one11one</UserPassword><c/><UserPassword>two22two</UserPassword>",
            "<UserPassword>REDACTED</UserPassword><c/><UserPassword>REDACTED</UserPassword>",
        ),
        (
            "<Secrets><a>hunter22hunter</a>\n<b c='hunter22hunter'/></Secrets>",
            "<Secrets>REDACTED</Secrets>",
        ),
    ],
)
def test_what_is_struck_out(inside: str, left: str) -> None:
    assert redact(with_password(inside)) == with_password(left).replace(
        CUSTOM.encode(), b"REDACTED"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<UserPassword>hunter22",
        WHOLE.encode("utf-16")[:-1],
        b"<a>\xff</a>",
        b"<!DOCTYPE a><a/>",
        b"<a>" * 40 + b"</a>" * 40,
        b"<a>" + b" " * 1024 * 1024 + b"</a>",
        with_password(
            "<UserPassword>hunter22hunter</UserPassword><Note>it is hunter22hunter</Note>"
        ),
        with_password(
            "<UserPassword>hunter22hunter</UserPassword>"
            "<Note>&#104;unter22<![CDATA[hunter]]></Note>"
        ),
        with_password("<UserPassword>hunter22hunter</UserPassword><hunter22hunter/>"),
        with_password(
            "<Secrets><a>hunter22hunter</a><b>more</b></Secrets><Note>it is hunter22hunter</Note>"
        ),
        with_password("<Secrets><a>hun</a>ter</Secrets><Note>it is hunter</Note>"),
    ],
    ids=lambda value: repr(value)[-40:],
)
def test_what_is_not_sure_leaves_nothing(data: bytes) -> None:
    assert redact(data) == STUB
    ElementTree.fromstring(STUB)


class RandomDocument:
    """A well-formed document in which a secret lies in several places, dressed at random."""

    SECRET_NAMES = (
        "UserPassword",
        "AdminPassword",
        "CustomData",
        "wa:UserPassword",
        "wa:CustomData",
        "userPassword",
    )
    NAMES = ("Environment", "wa:Section", "Value", "SSH", "a", "x-y.z")

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.secret = (
            "".join(
                dice.choice("abcXYZ019<>&\"' :;%\u00e4\u20ac\U0001f600]/") for _ in range(24)
            ).strip()
            + "End"
        )
        self.hidden = 0
        self.data = (
            '<?xml version="1.0"?>\n<wa:Root xmlns:wa="urn:wa">%s</wa:Root>\n' % self.content(4)
        ).encode()

    def content(self, depth: int) -> str:
        return "".join(self.node(depth) for _ in range(self.dice.randint(1, 4)))

    def node(self, depth: int) -> str:
        kind = self.dice.randrange(7 if depth else 3)
        if kind < 2:
            return self.dice.choice(
                (
                    "\r\n  ",
                    "plain",
                    "&#65;&lt;",
                    "<!-- fine -->",
                    "<?go on?>",
                    "<![CDATA[ a > b ]]>",
                    "\u00e4",
                )
            )
        if kind < 5:
            self.hidden += 1
            return self.hide(depth)
        name = self.dice.choice(self.NAMES)
        attributes = self.dice.choice(("", " b='>'", ' c = "&quot;"', "\n d='x' "))
        return "<%s%s>%s</%s>" % (name, attributes, self.content(depth - 1), name)

    def hide(self, depth: int) -> str:
        name = self.dice.choice(self.SECRET_NAMES)
        kind = self.dice.randrange(5)
        if kind == 0:
            return "<a %s=%s/>" % (name, self.quoted())
        if kind == 1:
            return "<%s value=%s>%s</%s>" % (name, self.quoted(), self.dressed(), name)
        if kind == 2:
            return "<%s><b>%s</b> %s</%s>" % (name, self.dressed(), self.dressed(), name)
        if kind == 3:
            return "<!-- <%s>%s</%s> -->" % (name, escape(self.secret).replace("--", "-."), name)
        return "<%s>%s</%s\n>" % (name, self.dressed(), name)

    def quoted(self) -> str:
        return '"%s"' % escape(self.secret, {'"': "&quot;"})

    def dressed(self) -> str:
        def one(letter: str) -> str:
            kind = self.dice.randrange(4)
            if kind == 0:
                return "&#%d;" % ord(letter)
            if kind == 1:
                return "&#x%x;" % ord(letter)
            return escape(letter)

        kind = self.dice.randrange(3)
        if kind == 0:
            return "<![CDATA[%s]]>" % self.secret.replace("]]>", "]]]]><![CDATA[>")
        if kind == 1:
            return "".join(one(letter) for letter in self.secret)
        return "%s<!-- in between -->%s" % (escape(self.secret[:9]), escape(self.secret[9:]))


def everything_said(data: bytes) -> str:
    """All that a reader could see in a document: its bytes, and each of its texts, attributes and
    comments decoded.
    """
    builder = ElementTree.TreeBuilder()
    root = ElementTree.fromstring(data, ElementTree.XMLParser(target=builder))
    said = [data.decode("utf-8")]
    for element in root.iter():
        said += ["".join(element.itertext())] + list(element.attrib.values())
    return "\n".join(said)


def test_a_secret_never_comes_through_in_any_form() -> None:
    dice = random.Random(7)
    kept = seen_before = 0
    for _ in range(1500):
        document = RandomDocument(dice)
        result = redact(document.data)
        said = everything_said(result)
        for form in (
            document.secret,
            escape(document.secret),
            document.secret[:12],
            document.secret[-12:],
            document.secret[6:18],
        ):
            assert form not in said
        seen_before += bool(document.hidden and document.secret in everything_said(document.data))
        kept += result != STUB
        if not document.hidden:
            assert result == document.data
    assert seen_before > 500 and kept > 1400


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_a_document_in_another_encoding_becomes_utf_8(encoding: str) -> None:
    text = with_password("<UserPassword>hunter22</UserPassword>").decode()
    found = redact(text.replace('encoding="utf-8"', 'encoding="utf-16"').encode(encoding))
    assert found == redact(text.encode())
    assert b"REDACTED" in found and b"hunter22" not in found
