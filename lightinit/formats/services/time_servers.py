"""The configuration files of NTP clients, with the time servers that somebody asks for.

An edit keeps all that is not a time server of the network: a reference clock, such as Hyper-V's
/dev/ptp_hyperv, stays. What is replaced becomes a comment. Text in, text out. It knows no path.
"""

from __future__ import annotations

import re
from typing import Callable, List, Tuple

from lightinit.formats.services.blocks import remove_blocks
from lightinit.model import NamedTuple

BEGIN, END = "# lightinit: time servers", "# lightinit: end"
REPLACED = "# replaced by lightinit: "
# ntpd names the clocks of the machine by these addresses.
LOCAL_CLOCK = "127.127."


class TimeServers(NamedTuple):
    """What a client is to ask.

    Attributes:
        servers: names or addresses of single servers.
        pools: names that stand for several servers.
        peers: servers that may ask this one in turn.
        allow: networks that may ask this one.
    """

    servers: Tuple[str, ...] = ()
    pools: Tuple[str, ...] = ()
    peers: Tuple[str, ...] = ()
    allow: Tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said, so that the client keeps its own."""
        return not any(self)

    @property
    def names_sources(self) -> bool:
        """Whether it names what to ask."""
        return bool(self.servers or self.pools or self.peers)


def edit_chrony(text: str, wanted: TimeServers) -> str:
    """chrony.conf(5). ``refclock``, ``confdir``, ``sourcedir`` and all else stay."""
    lines = ["server %s iburst" % each for each in wanted.servers]
    lines += ["pool %s iburst" % each for each in wanted.pools]
    lines += ["peer %s" % each for each in wanted.peers]
    lines += ["allow %s" % each for each in wanted.allow]
    return _edit(text, wanted, lines, r"[ \t]*(?:server|pool|peer)[ \t]")


def edit_ntp(text: str, wanted: TimeServers) -> str:
    """ntp.conf(5) of ntpd and of NTPsec. Reference clocks stay."""
    lines = ["server %s iburst" % each for each in wanted.servers]
    lines += ["pool %s iburst" % each for each in wanted.pools]
    lines += ["peer %s" % each for each in wanted.peers]
    pattern = r"[ \t]*(?:server|pool|peer)[ \t]+(?![ \t]|%s)" % re.escape(LOCAL_CLOCK)
    return _edit(text, wanted, lines, pattern)


def edit_openntpd(text: str, wanted: TimeServers) -> str:
    """ntpd.conf(5) of OpenNTPD. Sensors and constraints stay."""
    lines = ["server %s" % each for each in (*wanted.servers, *wanted.peers)]
    lines += ["servers %s" % each for each in wanted.pools]
    return _edit(text, wanted, lines, r"[ \t]*servers?[ \t]")


def edit_busybox(text: str, wanted: TimeServers) -> str:
    """ntp.conf as busybox reads it: it knows no line but ``server``."""
    lines = ["server %s" % each for each in (*wanted.servers, *wanted.pools, *wanted.peers)]
    return _edit(text, wanted, lines, r"[ \t]*server[ \t]")


def edit_options(text: str, wanted: TimeServers) -> str:
    """A file of shell assignments with the options of busybox's ntpd: ``NTPD_OPTS="-N -p NAME"``,
    each server with a ``-p``. The other options stay. The same text if there is no such line.
    """
    if not wanted.names_sources:
        return text
    added = ["-p %s" % each for each in (*wanted.servers, *wanted.pools, *wanted.peers)]

    def replace(match: "re.Match[str]") -> str:
        options = match["quoted"] or match["plain"] or ""
        return '%s"%s"' % (match["key"], " ".join([*_without_peers(options), *added]))

    # Without quotes, the blanks at the end are among the options.
    pattern = r"(?m)^(?P<key>NTPD_OPTS=)(?:(?P<quote>[\"'])%s(?P=quote)[ \t]*|%s)$" % (
        r"(?P<quoted>[^\"'\n]*)",
        r"(?P<plain>[^\"'\n]*)",
    )
    return re.sub(pattern, replace, text)


def _without_peers(options: str) -> List[str]:
    """The words of options that are not ``-p NAME``, in one word or two."""
    kept, before = [], ""
    for word in options.split():
        if not word.startswith("-p") and before not in ("-p", "-p="):
            kept.append(word)
        before = word
    return kept


def write_timesyncd(_text: str, wanted: TimeServers) -> str:
    """A file of timesyncd.conf.d(5), which goes before the servers of the other files."""
    names = " ".join((*wanted.servers, *wanted.pools, *wanted.peers))
    # The empty assignment forgets those of the other files.
    return "# Made by lightinit.\n[Time]\nNTP=\nNTP=%s\n" % names


Edit = Callable[[str, TimeServers], str]


def _edit(text: str, wanted: TimeServers, lines: List[str], replaced: str) -> str:
    if wanted.is_empty:
        return text
    text = remove_blocks(text, BEGIN, END)
    if wanted.names_sources:
        text = re.sub(r"(?mi)^(?=%s)" % replaced, REPLACED, text)
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "\n".join([BEGIN, *lines, END, ""])
