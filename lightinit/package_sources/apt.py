"""Writes apt's sources, keys and configuration, sources.list(5) and apt.conf(5).

What would break apt for all packages is checked before it is written, and by apt itself afterwards:
then the old files come back.
"""

from __future__ import annotations

import os
import socket
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.errors import LightinitError
from lightinit.formats.assignments import read_assignment
from lightinit.formats.cloud_config.readers.sources.apt import (
    GivenApt,
    GivenKey,
    GivenMirror,
    GivenSource,
)
from lightinit.formats.packages import apt_sources
from lightinit.host.command import Completed
from lightinit.host.network.download import Downloader
from lightinit.host.packages.run import without_secrets
from lightinit.host.system import System
from lightinit.package_sources.keys import read_key

FOLDER = "/etc/apt"
LISTS = FOLDER + "/sources.list.d/"
LIST = FOLDER + "/sources.list"
CONFIGURATION = FOLDER + "/apt.conf.d/94lightinit-config"
PROXIES = FOLDER + "/apt.conf.d/90lightinit-proxy"
PIPELINING = FOLDER + "/apt.conf.d/90lightinit-pipelining"
TRUSTED, NAMED = FOLDER + "/trusted.gpg.d/", FOLDER + "/keyrings/"
ELSEWHERE = "# The sources are in %s, as a cloud-config says\n"
LIMIT_BYTES = 16 * 1024 * 1024
CHECK_S = 120.0
# What uname calls a machine, and Debian.
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
}


class AptFiles:
    """The files of apt on one machine.

    Args:
        system: the machine.
        downloader: fetches keys; None for one with the host's certificates.

    Attributes:
        warnings: what could not be done.
    """

    def __init__(self, system: System, downloader: Optional[Downloader] = None) -> None:
        self.warnings: List[str] = []
        self._system = system
        self._downloader = downloader
        self._before: Dict[str, Optional[bytes]] = {}
        host = system.read_text("/etc/os-release") or system.read_text("/usr/lib/os-release")
        self._release = apt_sources.read_release(host)
        self._own = "%s%s.sources" % (LISTS, read_assignment(host, "ID") or "debian")
        self._known: Dict[str, str] = {}
        self._mirrors: Dict[Tuple[str, bool], str] = {}

    def write(self, given: GivenApt) -> None:
        """Write all that is given. Each part that cannot be written is a warning.

        Args:
            given: what a cloud-config says.
        """
        if not self._system.is_dir(FOLDER):
            self.warnings.append("apt has no effect: apt is not here")
            return
        self._answer(given.debconf)
        self._configure(given)
        self._check(("apt-config", "dump"), "apt cannot read its configuration")
        self._before.clear()
        self._know(given)
        if not given.preserve:
            for name, mirrors in (("primary", given.primary), ("security", given.security)):
                for mirror in mirrors:
                    self._add_key(mirror.key, name, TRUSTED)
            self._write_own(given)
        for source in given.sources:
            self._add(source)
        self._check(("apt-get", "indextargets"), "apt cannot read its sources")

    # -- configuration

    def _answer(self, selections: str) -> None:
        if not selections:
            return
        if not self._system.live:
            self._system.skip("debconf")
            return
        program = self._system.tool("debconf-set-selections")
        if program is None:
            self.warnings.append("debconf_selections has no effect: debconf is not here")
            return
        try:
            self._system.run_checked([program], selections.encode("utf-8"))
        except LightinitError as error:
            # What it said may have an answer in it, which may be a password.
            self.warnings.append("debconf_selections could not be set: %s" % error.reason)

    def _configure(self, given: GivenApt) -> None:
        if given.proxies:
            lines = ['Acquire::%s::Proxy "%s";\n' % proxy for proxy in given.proxies]
            self._put(PROXIES, "".join(lines))
        if given.conf:
            self._put(CONFIGURATION, given.conf.rstrip("\n") + "\n")
        if given.pipelining is not None:
            self._put(PIPELINING, 'Acquire::http::Pipeline-Depth "%d";\n' % given.pipelining)

    # -- the distribution's own lists

    def _know(self, given: GivenApt) -> None:
        """Find out what the variables of sources stand for."""
        there = self._list_own()
        primary = self._choose(given.primary)
        security = self._choose(given.security) or primary
        now = [uri for uri, suite in there if not apt_sources.is_security(suite)]
        now_security = [uri for uri, suite in there if apt_sources.is_security(suite)]
        first = primary or "".join(now[:1])
        second = security or "".join(now_security[:1]) or first
        self._known = {"RELEASE": self._release, "codename": self._release}
        for name, uri in (("MIRROR", first), ("PRIMARY", first), ("SECURITY", second)):
            self._known[name] = self._known[name.lower()] = uri
        olds = (("".join(now[:1]), False), ("".join(now_security[:1]), True))
        self._mirrors = {
            (old.rstrip("/"), kind): new
            for (old, kind), new in zip(olds, (primary, security))
            if old and new
        }

    def _list_own(self) -> List[Tuple[str, str]]:
        return [
            each
            for path in (LIST, self._own)
            for each in apt_sources.list_sources(self._system.read_text(path))
        ]

    def _choose(self, mirrors: Sequence[GivenMirror]) -> str:
        """The mirror for this architecture, or ""."""
        machine = os.uname().machine
        machine = ARCHITECTURES.get(machine, machine)
        fitting = [each for each in mirrors if machine in each.arches]
        fitting += [each for each in mirrors if "default" in each.arches]
        for mirror in fitting[:1]:
            if mirror.uri:
                return mirror.uri
            for uri in mirror.search:
                if self._is_known(uri):
                    return uri
            self.warnings.append("no mirror of apt is known: none of `search` has an address")
        return ""

    def _is_known(self, uri: str) -> bool:
        host = uri.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
        if not self._system.live:
            self._system.skip("the search for a mirror")
            return True
        try:
            return not host or bool(socket.getaddrinfo(host, None))
        except (OSError, UnicodeError):
            return False

    def _write_own(self, given: GivenApt) -> None:
        suites = [
            apt_sources.substitute(apt_sources.SHORT_SUITES.get(each, each), self._known)[0]
            for each in given.disabled
        ]
        if given.sources_list:
            text = self._fill("sources_list", given.sources_list)
            self._replace_own(apt_sources.disable_suites(text, suites))
        elif suites or self._mirrors:
            for path in (LIST, self._own):
                before = self._system.read_text(path)
                if before:
                    text = apt_sources.set_mirrors(before, self._mirrors)
                    self._put(path, apt_sources.disable_suites(text, suites))

    def _replace_own(self, text: str) -> None:
        """Write a list in the form that it has, and take the sources out of the other file."""
        path, other = LIST, self._own
        if apt_sources.is_deb822(text):
            path, other = other, path
        elif self._is_wrong("sources_list", text):
            return
        if self._put(path, text.rstrip("\n") + "\n") and self._system.exists(other):
            self._put(other, ELSEWHERE % path)

    def _fill(self, what: str, text: str) -> str:
        text, unknown = apt_sources.substitute(text, self._known)
        if unknown:
            self.warnings.append("%s: nobody knows $%s" % (what, ", $".join(unknown)))
        return text

    def _is_wrong(self, what: str, text: str) -> bool:
        number = apt_sources.find_wrong_line(text)
        if number:
            self.warnings.append(
                "%s is not written: apt would refuse its line %d; write `deb URL SUITE COMPONENT`"
                % (what, number)
            )
        return bool(number)

    # -- further sources

    def _add(self, source: GivenSource) -> None:
        name = source.filename.rpartition("/")[2][: -len(".list")]
        is_named = "$KEY_FILE" in source.source or "${KEY_FILE}" in source.source
        folder = NAMED if is_named else TRUSTED
        self._known.pop("KEY_FILE", None)
        if source.key is not None:
            self._known["KEY_FILE"] = self._add_key(source.key, name, folder)
        what = "source %s" % source.name
        text = self._fill(what, source.source)
        if not text or self._is_wrong(what, text):
            return
        path = source.filename
        if not path.startswith("/"):
            path = LISTS + path
        before = self._system.read_text(path)
        if source.append and before:
            if text in before.split("\n"):
                return
            text = before.rstrip("\n") + "\n" + text
        self._put(path, text + "\n")

    def _add_key(self, key: Optional[GivenKey], name: str, folder: str) -> str:
        """Write a key. Returns its file, or "" if there is none."""
        if key is None:
            return ""
        if key.id and not self._system.live:
            self._system.skip("keys from a server")
            return ""
        if key.id:
            self._system.need_network("keys of package sources")
        try:
            data, warnings = read_key(key, self._downloader)
            self._system.write("%s%s.gpg" % (folder, name), data)
        except LightinitError as error:
            self.warnings.append("the key of %s is not trusted: %s" % (name, error))
            return ""
        self.warnings += warnings
        return "%s%s.gpg" % (folder, name)

    # -- writing

    def _put(self, path: str, text: str) -> bool:
        """Write a file, and remember what was there."""
        before: Optional[bytes] = None
        try:
            if self._system.exists(path):
                before = self._system.read(path, LIMIT_BYTES)
            if before != text.encode("utf-8"):
                self._system.write(path, text.encode("utf-8"))
                self._before.setdefault(path, before)
        except (LightinitError, OSError) as error:
            self.warnings.append("%s is not written: %s" % (path, error))
            return False
        return True

    def _check(self, argv: Tuple[str, ...], what: str) -> None:
        """Ask apt whether it reads what was written. If not, put back one file after the other
        until it does, the last one first.
        """
        program = self._system.tool(argv[0])
        if program is None:
            return
        for path in [*reversed(list(self._before)), ""]:
            try:
                ended = self._system.run([program, *argv[1:]], timeout_s=CHECK_S)
            except LightinitError as error:
                self.warnings.append("%s: %s" % (what, error))
                return
            if ended.ok:
                return
            if not path:
                self.warnings.append("%s: %s" % (what, _said(ended)))
                return
            self._put_back(path)
            self.warnings.append("%s is not changed, since %s: %s" % (path, what, _said(ended)))

    def _put_back(self, path: str) -> None:
        before = self._before[path]
        try:
            if before is None:
                self._system.remove(path)
            else:
                self._system.write(path, before)
        except LightinitError as error:
            self.warnings.append(str(error))


def _said(ended: Completed) -> str:
    """The first error that apt told; it says which file and line it is about."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith("E: ")]
    return without_secrets("".join(lines[:1]) or ended.last_words)
