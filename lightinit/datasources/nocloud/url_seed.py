"""Downloads a NoCloud seed: its files below one URL.

A server that is busy or not there yet is asked again until the deadline. One that has neither
meta-data nor user-data is an error: with no answer at all nobody could log in, and the next boot
asks again.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from lightinit.datasources.nocloud.places import (
    FILES,
    LIMITS_BYTES,
    META_DATA,
    USER_DATA,
)
from lightinit.datasources.nocloud.seed import Seed
from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.host.network.download import Downloader, show_url
from lightinit.host.system import System
from lightinit.retry import RetryPolicy, retry

LOG = logging.getLogger("lightinit.nocloud")
NEEDED = (META_DATA, USER_DATA)
NOT_FOUND = ("204", "404", "410")
TOO_LARGE = "answer is too large"
LEAST_S = 2.0
# How long a file is tried that a login seldom needs.
COMFORT_S = 30.0
PAGE = (b"<!doctype html", b"<html", b"<?xml")


class UrlSeed:
    """The seed below a URL.

    Args:
        system: the machine.
        url: where it begins. The names of the files are put at its end, or where it has ``%s``.
        options: the values of the section [nocloud].
        on_request: called after each request, as by the other clients.
        tls: as for :class:`Downloader`.
    """

    def __init__(
        self,
        system: System,
        url: str,
        options: Mapping[str, Any],
        on_request: Optional[Callable[..., None]] = None,
        tls: Any = None,
    ) -> None:
        self._system = system
        self.url = url
        self._request_s = float(options["request_timeout_s"])
        self._deadline_s = system.clock.monotonic() + float(options["fetch_timeout_s"])
        self._on_request = on_request
        self._downloader = Downloader(tls)

    def read(self) -> Seed:
        """Download all files.

        Raises:
            ProvisioningError: there is no seed, or no answer until the deadline.
        """
        files: Dict[str, bytes] = {}
        warnings: List[str] = []
        for name in FILES:
            needed = name in NEEDED
            try:
                data, why = self._read(name)
            except LightinitError as error:
                if needed:
                    raise
                data, why = None, str(error)
                warnings.append("%s was not downloaded: %s" % (name, error))
            if data is not None:
                files[name] = data
            elif needed and name == META_DATA:
                warnings.append("the seed at %s has no meta-data (%s)" % (show_url(self.url), why))
            elif needed:
                warnings.append("the seed at %s has no user-data (%s)" % (show_url(self.url), why))
        if not files:
            raise ProvisioningError(
                "no seed is at the url",
                url=show_url(self.url),
                hint="it must lead to meta-data and user-data: %s" % show_url(self.place_of("…")),
            )
        return Seed(files, tuple(warnings))

    def place_of(self, name: str) -> str:
        """The URL of a file. As with cloud-init a slash comes between, unless there is a query."""
        if "%s" in self.url:
            return self.url.replace("%s", name)
        if not self.url.endswith("/") and not _has_query(self.url):
            return "%s/%s" % (self.url, name)
        return self.url + name

    def _read(self, name: str) -> Tuple[Optional[bytes], str]:
        """A file; None if there is none, and why."""
        left_s = max(LEAST_S, self._deadline_s - self._system.clock.monotonic())
        if name not in NEEDED:
            left_s = min(left_s, COMFORT_S)
        policy = RetryPolicy(deadline_s=left_s)
        url = self.place_of(name)
        try:
            data = retry(
                lambda remaining_s: self._get(url, name, min(self._request_s, remaining_s)),
                policy,
                self._system.clock,
                on_retry=_log_retry,
            )
        except ProvisioningError as error:
            if error.details.get("status") in NOT_FOUND:
                return None, "HTTP status %s" % error.details["status"]
            raise
        if data.lstrip()[:20].lower().startswith(PAGE):
            raise ProvisioningError(
                "seed file is a web page",
                url=show_url(url),
                hint="a proxy or a login page may answer in the server's place; check the URL",
            )
        return data, ""

    def _get(self, url: str, name: str, timeout_s: float) -> bytes:
        started_s, size, result = time.monotonic(), 0, "ok"
        try:
            data = self._downloader.get(url, max(timeout_s, LEAST_S), LIMITS_BYTES[name])
            size = len(data)
            return data
        except MalformedError as error:
            result = error.reason
            if error.reason == TOO_LARGE:
                raise ProvisioningError(
                    "seed file is too large", url=show_url(url), limit_bytes=LIMITS_BYTES[name]
                ) from error
            raise
        except LightinitError as error:
            result = error.reason
            raise
        finally:
            if self._on_request is not None:
                took_s = time.monotonic() - started_s
                self._on_request("GET", show_url(url), result, started_s, took_s, size)


def _has_query(url: str) -> bool:
    try:
        return bool(urlsplit(url).query)
    except ValueError:
        return False


def _log_retry(error: LightinitError, wait_s: float, attempts: int) -> None:
    LOG.info("attempt %d: %s; trying again in %.1f s", attempts, error, wait_s)
