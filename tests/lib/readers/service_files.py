"""Files of services that a host has, which lightinit edits: time, names, locales, keyboards,
authorities.
"""

from __future__ import annotations

from lightinit.formats.services import keyboards, locales, resolver, time_servers, trust
from tests.lib.authorities import ONE
from tests.lib.readers.reader import Reader, text

SERVERS = time_servers.TimeServers(("10.0.0.1",), ("a",), ("b",), ("10.0.0.0/8",))
RESOLVER = resolver.Resolver(("10.0.0.1",), ("a",), "b", ("10.0.0.0/8",), (("rotate", ""),))
RULES = b"! model\n  pc105 Generic\n! layout\n  de German\n! variant\n  neo de: German\n"
CHRONY = b"# a\npool 2.debian.pool.ntp.org iburst\nrefclock PHC /dev/ptp_hyperv poll 3\n"
NOW_S = 1800000000.0


def _time_servers(data: bytes) -> None:
    given = text(data)
    for edit in (
        time_servers.edit_chrony,
        time_servers.edit_ntp,
        time_servers.edit_openntpd,
        time_servers.edit_busybox,
        time_servers.edit_options,
    ):
        once = edit(given, SERVERS)
        assert edit(once, SERVERS) == once


def _resolver(data: bytes) -> None:
    given = text(data)
    resolver.is_address(given)
    for wanted in (RESOLVER, resolver.Resolver()):
        resolver.write_plain(given, wanted)
        resolver.edit_openresolv(given, wanted)
        once = resolver.edit_head(given, wanted)
        assert resolver.edit_head(once, wanted) == once
    assert resolver.edit_dhcpcd(resolver.edit_dhcpcd(given)) == resolver.edit_dhcpcd(given)


def _locales(data: bytes) -> None:
    given = text(data)
    listed = locales.read_list(given)
    locales.find_listed("de_DE", listed)
    locales.find_listed(given, listed)
    locales.has_locale(given, given.split("\n"))
    wanted = locales.ListedLocale("de_DE.UTF-8", "UTF-8", True)
    assert wanted in locales.read_list(locales.switch_on(given, wanted))
    if locales.sets_language(given):
        locales.edit_script(given, "de_DE.UTF-8")


def _keyboards(data: bytes) -> None:
    given = text(data)
    rules = keyboards.read_rules(given)
    for keyboard in (
        keyboards.Keyboard("de", variant="neo"),
        keyboards.Keyboard(given, given, given),
    ):
        keyboards.find_unknown(keyboard, rules)
        keyboards.list_keymaps(keyboard, given)
    once = keyboards.set_quoted(given, "XKBLAYOUT", "de")
    assert keyboards.set_quoted(once, "XKBLAYOUT", "de") == once


def _trust(data: bytes) -> None:
    given = text(data)
    once = trust.deselect_all(given)
    assert trust.deselect_all(once) == once
    trust.read_authority(given, NOW_S)


READERS = (
    Reader(
        "services.time_servers",
        _time_servers,
        (
            (b"server ", b" iburst\n"),
            (b"NTPD_OPTS=", b'"\n'),
            (b'NTPD_OPTS="', b'"\n'),
            (b"NTPD_OPTS='-p", b"'\n"),
        ),
        (
            (b"", b"pool a\n", b""),
            (b"", b"server 127.127.1.0\n", b""),
            (b"", time_servers.BEGIN.encode() + b"\n", b""),
            (b"", b"\n", time_servers.END.encode() + b"\n"),
            (b'NTPD_OPTS="', b"-p a ", b'"\n'),
            (b"", b'NTPD_OPTS="', b"\n"),
        ),
        (CHRONY, b"server 127.127.20.0\n", b'NTPD_OPTS="-N -p a"\n'),
    ),
    Reader(
        "services.resolver",
        _resolver,
        (
            (b"nameserver ", b"\n"),
            (b"search", b"a\n"),
            (b"", b"nohook resolv.conf\n"),
            (b"a%", b""),
        ),
        (
            (b"", b"nameserver 10.0.0.%d\n", b""),
            (b"", resolver.BEGIN.encode() + b"\n", b""),
            (b"", b"nohook resolv.con\n", b""),
            (b"nohook ", b"resolv", b"\n"),
            (b"", b"name_servers=a\n", b""),
        ),
        (b"# a\nnameserver 168.63.129.16\nsearch a.b\noptions timeout:1\n", b"fe80::1%eth0"),
    ),
    Reader(
        "services.locales",
        _locales,
        (
            (b"", b"!\n"),
            (b"#", b"de_DE.UTF-8 UTF-8\n"),
            (b"de_DE.UTF-8", b"UTF-8\n"),
            (b"de_DE.UTF-8 UTF-8", b"!\n"),
            (b"export ", b"LANG=C.UTF-8\n"),
            (b"LANG=${LANG:-", b"}\n"),
            (b"LANG='C", b"!\n"),
        ),
        ((b"", b"# de_DE.UTF-8 UTF-8\n", b""), (b"", b"a%d UTF-8\n", b""), (b"", b"LANG=C\n", b"")),
        (b"# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8  \n", b'export LANG="${LANG:-C.UTF-8}"\n'),
    ),
    Reader(
        "services.keyboards",
        _keyboards,
        (
            (b"! layout\n", b" a\n"),
            (b"! variant\n  neo ", b"\n"),
            (b"XKBLAYOUT=", b"\n"),
            (b"#", b"XKBLAYOUT=us\n"),
            (b"", b" de pc105 neo -\n"),
        ),
        (
            (b"! variant\n", b"  a%d de: b\n", b""),
            (b"", b"de-a%d de pc105 neo -\n", b""),
            (b"", b"de,", b" de pc105 neo -\n"),
            (b"", b'#XKBLAYOUT="us"\n', b""),
        ),
        (RULES, b"de-neo de pc105 neo -\n", b'XKBMODEL="pc105"\nXKBLAYOUT="us"\n'),
    ),
    Reader(
        "services.trust",
        _trust,
        (
            (b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----"),
            (b"-----BEGIN TRUSTED CERTIFICATE-----\nMI", b"\n-----END TRUSTED CERTIFICATE-----"),
        ),
        (
            (b"", b"mozilla/a%d.crt\n", b""),
            (b"a\n", b"MIIB\n", b"b"),
            (b"", b"\n", b"a"),
        ),
        (ONE.encode(), b"# a\nmozilla/A.crt\n!mozilla/B.crt\n"),
    ),
)
