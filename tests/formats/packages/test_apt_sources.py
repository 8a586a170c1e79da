"""apt's lists of sources: lines and deb822."""

from __future__ import annotations

import pytest

from lightinit.formats.packages import apt_sources

LINES = """# the image's
deb http://deb.debian.org/debian bookworm main
deb-src [ arch=amd64 signed-by=/k ] http://deb.debian.org/debian bookworm-updates main contrib # x
deb http://security.debian.org/debian-security bookworm-security main
"""
PARAGRAPHS = """# the image's
Types: deb deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
# and
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
"""


OLD = "http://deb.debian.org/debian"
OLD_SECURITY = "http://security.debian.org/debian-security"
OTHER = "deb https://download.example.org/linux/debian bookworm stable\n"


def test_mirrors_of_lines() -> None:
    new = {(OLD, False): "http://m/d", (OLD_SECURITY, True): "http://s/d"}
    lines = (LINES + OTHER).replace(OLD + " ", OLD + "/ ")
    assert apt_sources.set_mirrors(lines, new) == (LINES + OTHER).replace(
        OLD + " ", "http://m/d "
    ).replace(OLD_SECURITY, "http://s/d")
    assert apt_sources.set_mirrors(LINES, {}) == LINES


def test_mirrors_of_paragraphs() -> None:
    new = {(OLD, False): "http://m/d", (OLD + "-security", True): "http://s/d"}
    text = apt_sources.set_mirrors(PARAGRAPHS, new)
    assert apt_sources.list_sources(text) == [
        ("http://m/d", "bookworm"),
        ("http://m/d", "bookworm-updates"),
        ("http://s/d", "bookworm-security"),
    ]
    assert text.replace("http://m/d", OLD).replace("http://s/d", OLD + "-security") == PARAGRAPHS
    assert apt_sources.set_mirrors(PARAGRAPHS, {}) == PARAGRAPHS


def test_suites_are_disabled() -> None:
    wanted = ["bookworm-updates", "bookworm-security"]
    for text in (LINES, PARAGRAPHS):
        found = apt_sources.disable_suites(text, wanted)
        assert [suite for _, suite in apt_sources.list_sources(found)] == ["bookworm"]
        assert apt_sources.disable_suites(text, ["other"]) == text


@pytest.mark.parametrize(
    "line, is_right",
    [
        ("deb http://a/b stable main", True),
        ("  deb [a=b] cdrom:[x]/ stable main", False),
        ("deb [a=b c=d] http://a ./", True),
        ("deb http://a stable", False),
        ("deb http://a ./ main", False),
        ("rpm http://a stable main", False),
        ("deb http://a stable main # why", True),
        ("deb http://a stable # why", False),
        ("# deb", True),
        ("", True),
        ("deb [a=b http://a stable main", False),
    ],
)
def test_what_apt_would_refuse(line: str, is_right: bool) -> None:
    assert apt_sources.find_wrong_line("deb http://a b c\n" + line) == 2 * (not is_right)


def test_variables() -> None:
    text, unknown = apt_sources.substitute(
        "deb [x=$KEY_FILE] ${MIRROR} $RELEASE-updates $WHAT $(ARCH)/",
        {"MIRROR": "http://m", "RELEASE": "sid", "KEY_FILE": ""},
    )
    assert text == "deb [x=$KEY_FILE] http://m sid-updates $WHAT $(ARCH)/"
    assert unknown == ["KEY_FILE", "WHAT"]


def test_the_release() -> None:
    assert apt_sources.read_release('ID=debian\nVERSION_CODENAME="bookworm"\n') == "bookworm"
    assert apt_sources.read_release("ID=x\n") == ""
