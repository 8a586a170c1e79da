"""Lists of packages' sources, their keys, and what a cloud-config says of them."""

from __future__ import annotations

from lightinit.formats.cloud_config.readers.sources import apt, old_apt, repositories
from lightinit.formats.packages import apt_sources, openpgp, repository_files
from tests.lib.readers.reader import Reader, text

ARMOUR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n", b"\n-----END PGP PUBLIC KEY BLOCK-----\n"
PARAGRAPH = b"Types: deb\nURIs: http://a\nSuites: a\nComponents: m\n"


def lists(data: bytes) -> None:
    given = text(data)
    apt_sources.find_wrong_line(given)
    apt_sources.list_sources(given)
    apt_sources.set_mirrors(given, {("http://a", False): "http://m"})
    apt_sources.disable_suites(given, ["a"])
    apt_sources.substitute(given, {"RELEASE": "a"})
    apt_sources.read_release(given)
    repository_files.set_options(given, (("a", "1"),))


def armour(data: bytes) -> None:
    openpgp.read_keys(openpgp.dearmour(text(data)))


def given(data: bytes) -> None:
    words = text(data)
    apt.read_apt(
        {
            "apt": {
                "sources": {words: {"source": words, "keyid": words, "keyserver": words}},
                "primary": [{"arches": words, "uri": words}],
                "proxy": words,
                "debconf_selections": {"a": words},
            }
        }
    )
    apt.read_apt(dict.fromkeys(old_apt.KEYS, words))
    apt.read_apt({"apt_sources": [{"source": words, "filename": words}, {words: words}]})
    repositories.read_repositories(
        {
            "yum_repos": {words: {"baseurl": words, words: words}},
            "apk_repos": {"alpine_repo": {"version": words, "base_url": words}},
        }
    )


READERS = (
    Reader(
        "packages.apt_sources",
        lists,
        ((b"", b""), (b"deb ", b" a b\n"), (b"deb [", b"] a b c\n"), (PARAGRAPH, b"\n")),
        (
            (b"", b"deb http://a a m\n", b""),
            (b"", PARAGRAPH + b"\n", b""),
            (b"Types: deb\nURIs:", b" http://a", b"\nSuites: a\n"),
            (b"Types: deb\nSuites:", b" a%d", b"\nURIs: http://a\n"),
        ),
    ),
    Reader(
        "packages.openpgp",
        armour,
        (ARMOUR, (b"-----BEGIN PGP ", b"")),
        ((b"", ARMOUR[0] + b"mA==" + ARMOUR[1], b""), (ARMOUR[0], b"xgEE", ARMOUR[1])),
    ),
    Reader("packages.sources", given, ((b"http://", b""), (b"ABCD", b""), (b"", b""))),
)
