"""resolv.conf(5), and the files of those that write it on a host. Text in, text out. It knows no
path.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Iterable, List, Tuple

from lightinit.formats.blanks import BLANKS, words_of
from lightinit.formats.services.blocks import remove_blocks
from lightinit.formats.services.keyboards import set_quoted
from lightinit.model import NamedTuple

HEAD = "# Made by lightinit, as the cloud-config says.\n"
BEGIN, END = "# lightinit: name servers", "# lightinit: end"
MAX_SERVERS = 3  # MAXNS of glibc and musl: more are not asked


class Resolver(NamedTuple):
    """What the resolver is told.

    Attributes:
        nameservers: addresses, in order.
        searchdomains: domains that short names are looked up in.
        domain: the host's own domain, or "".
        sortlist: networks that come first among several addresses.
        options: (name, value), with "" for none.
    """

    nameservers: Tuple[str, ...] = ()
    searchdomains: Tuple[str, ...] = ()
    domain: str = ""
    sortlist: Tuple[str, ...] = ()
    options: Tuple[Tuple[str, str], ...] = ()

    @property
    def search(self) -> Tuple[str, ...]:
        """The domains to search. `domain` alone means that one."""
        if self.searchdomains or not self.domain:
            return self.searchdomains
        return (self.domain,)

    @property
    def option_words(self) -> List[str]:
        """The options as resolv.conf has them: ``rotate timeout:1``."""
        return [":".join(filter(None, option)) for option in self.options]


def is_address(text: str) -> bool:
    """Whether a name server has this address: IPv4, or IPv6 with or without a zone."""
    address, percent, zone = text.partition("%")
    if percent and not re.match(r"[A-Za-z0-9_.-]+\Z", zone):
        return False
    try:
        return ipaddress.ip_address(address).version == 6 or not percent
    except ValueError:
        return False


def write_plain(before: str, wanted: Resolver) -> str:
    """The text of resolv.conf. What is not asked for stays as it was: name servers above all,
    without which a host finds nothing.
    """
    lines = []
    if not wanted.nameservers:
        lines += _kept(before, "nameserver")
    lines += ["nameserver " + each for each in wanted.nameservers]
    # Of `domain` and `search`, the later one counts.
    if wanted.domain:
        lines.append("domain " + wanted.domain)
    if wanted.searchdomains:
        lines.append("search " + " ".join(wanted.searchdomains))
    if not wanted.search:
        lines += _kept(before, "domain", "search")
    if wanted.sortlist:
        lines.append("sortlist " + " ".join(wanted.sortlist))
    if wanted.options:
        lines.append("options " + " ".join(wanted.option_words))
    else:
        lines += _kept(before, "options")
    return HEAD + "".join(line + "\n" for line in lines)


def _kept(text: str, *keys: str) -> List[str]:
    return [
        line.strip(BLANKS)
        for line in text.split("\n")
        if any(word in keys for word in words_of(line)[:1])
    ]


def write_resolved(wanted: Resolver) -> str:
    """A file of resolved.conf.d(5). It has neither ``sortlist`` nor ``options``."""
    text = HEAD + "[Resolve]\n"
    if wanted.nameservers:
        text += "DNS=\nDNS=%s\n" % " ".join(wanted.nameservers)
    if wanted.search:
        text += "Domains=\nDomains=%s\n" % " ".join(wanted.search)
    return text


def write_networkmanager(wanted: Resolver) -> str:
    """A file of NetworkManager.conf(5): servers here count instead of those of the leases."""
    text = HEAD + "[global-dns]\n"
    if wanted.search:
        text += "searches=%s\n" % ",".join(wanted.search)
    if wanted.options:
        text += "options=%s\n" % ",".join(wanted.option_words)
    return text + "\n[global-dns-domain-*]\nservers=%s\n" % ",".join(wanted.nameservers)


def edit_openresolv(text: str, wanted: Resolver) -> str:
    """resolvconf.conf(5) of openresolv. The servers of the leases come after these."""
    values: List[Tuple[str, Iterable[str]]] = [
        ("name_servers", wanted.nameservers),
        ("search_domains", wanted.search),
        ("resolv_conf_sortlist", wanted.sortlist),
        ("resolv_conf_options", wanted.option_words),
    ]
    for key, words in values:
        if list(words):
            text = set_quoted(text, key, " ".join(words))
    return text


def edit_head(text: str, wanted: Resolver) -> str:
    """The file ``head`` of Debian's resolvconf, which comes before the servers of the leases."""
    body = write_plain("", wanted)[len(HEAD) :]
    text = remove_blocks(text, BEGIN, END)
    if text and not text.endswith("\n"):
        text += "\n"
    return "%s%s\n%s%s\n" % (text, BEGIN, body, END)


def edit_dhcpcd(text: str) -> str:
    """dhcpcd.conf(5), so that dhcpcd leaves resolv.conf alone. Its options before the first
    ``interface`` or ``ssid`` are for all interfaces.
    """
    line = "# lightinit: resolv.conf is as the cloud-config says.\nnohook resolv.conf\n"
    if re.search(r"(?m)^[ \t]*nohook[ \t].*resolv\.conf", text):
        return text
    return line + text


def write_dhclient_hook(_text: str) -> str:
    """A hook of dhclient-script(8), which sources it: so the function that writes resolv.conf does
    nothing.
    """
    return HEAD + "make_resolv_conf() {\n    :\n}\n"
