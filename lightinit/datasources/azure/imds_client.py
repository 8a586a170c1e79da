"""The Instance Metadata Service: its api-version, when it is ready, when its document is complete.

It knows no Instance and decides nothing about the VM. :mod:`lightinit.formats.azure.imds_instance`
knows what the document's fields mean.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from lightinit import retry
from lightinit.datasources.azure import answers
from lightinit.datasources.azure.identity import IMDS
from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.formats.azure import imds as document_format
from lightinit.formats.azure.imds_instance import missing_parts, pool_type
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response

LOG = logging.getLogger("lightinit.imds")
API_VERSIONS = ("2023-11-15", "2021-08-01", "2019-06-01")
OS_PROFILE_SINCE = "2020-07-15"
# Limits for the extended part of the document: for all attempts, and for one request. They are
# short because Ready waits for it.
POOL_FOR_S = 5.0
POOL_TIMEOUT_S = 3.0
EXTENDED_VERSION = "2021-08-01"
REPROVISION_VERSION = "2019-06-01"
# IMDS answers 404 and 410 while it is being set up or moved, 408 and 429 when it is busy.
PASSING = frozenset((404, 408, 410, 429))
MAX_VERSIONS_TRIED = 5
Result = TypeVar("Result")


@dataclass(frozen=True)
class Fetched:
    """A metadata document, its api-version, the parts that are still missing after all waiting,
    and warnings about what was odd in it.
    """

    document: Dict[str, Any]
    api_version: str
    missing: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()


class ImdsClient:
    """Asks IMDS.

    Args:
        transport: sends the requests.
        clock: for pauses and deadlines.
        endpoint: address, with ``:port`` unless it is 80.
        policy: how to try again; its deadline is for one call of a method.
        request_timeout_s: seconds for one request.
        complete_timeout_s: seconds to wait for the missing parts of an incomplete document, within
            the deadline.
        random: numbers from 0 up to 1 for the jitter.
    """

    def __init__(
        self,
        transport: HttpTransport,
        clock: Clock,
        endpoint: str = IMDS,
        policy: Optional[retry.RetryPolicy] = None,
        request_timeout_s: float = 10.0,
        complete_timeout_s: float = 30.0,
        random: Callable[[], float] = retry.system_random,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._base = "http://%s/metadata/instance" % endpoint
        self._policy = policy or retry.RetryPolicy()
        self._request_timeout_s = request_timeout_s
        self._complete_timeout_s = complete_timeout_s
        self._random = random
        self._version = API_VERSIONS[0]

    def fetch_document(
        self, can_do_without: Callable[[], bool] = lambda: False, without_timeout_s: float = 0.0
    ) -> Fetched:
        """The whole metadata document.

        If it is incomplete, it is fetched again for up to ``complete_timeout_s``, then used as it
        is: some VMs (those from a specialized disk) never get an osProfile.

        Args:
            can_do_without: tells whether another source is sufficient by now. If so, an incomplete
                document is used at once, and after ``without_timeout_s`` the attempts end.
            without_timeout_s: seconds to keep trying although another source is sufficient.

        Raises:
            ProvisioningError: there was none before the deadline, or IMDS refuses permanently.
        """
        started_s = self._clock.monotonic()

        def attempt(remaining_s: float) -> Fetched:
            try:
                return self._document(remaining_s)
            except (TransientError, MalformedError) as error:
                elapsed_s = self._clock.monotonic() - started_s
                if elapsed_s >= without_timeout_s and can_do_without():
                    raise ProvisioningError(
                        error.reason, **{**error.details, "elapsed_s": "%.1f" % elapsed_s}
                    ) from error
                raise

        fetched = self._retry(attempt, self._policy)
        left_s = self._policy.deadline_s - (self._clock.monotonic() - started_s)
        if not fetched.missing or can_do_without():
            return fetched
        kept: List[Fetched] = []

        def complete(remaining_s: float) -> Fetched:
            # The first attempt checks the document that is there already, so that a pause comes
            # before the next request.
            kept.append(self._document(remaining_s) if kept else fetched)
            if kept[-1].missing and not can_do_without():
                raise TransientError(
                    "imds document is incomplete", missing=" and ".join(kept[-1].missing)
                )
            return kept[-1]

        try:
            within_s = min(self._complete_timeout_s, left_s)
            return self._retry(complete, replace(self._policy, deadline_s=within_s))
        except ProvisioningError as error:
            LOG.warning("using the imds document as it is: %s", error)
            return kept[-1]

    def fetch_pool_type(self, insist: bool = True) -> str:
        """The kind of pool that this VM waits in for an owner (``Running``, ``Savable``, …), "" for
        none or unknown.

        The kind is in the extended part of the document. IMDS fails the whole request until that
        part is complete. So a temporary failure is retried, but only for ``POOL_FOR_S``, since
        nearly no VM is of a pool. A 400 means that this IMDS has no extended part; an IMDS that
        ignores the parameter answers with the plain document.

        Args:
            insist: whether to ask again after a temporary failure.
        """
        url = "%s?api-version=%s&extended=true&format=json" % (self._base, EXTENDED_VERSION)
        limit_s = min(POOL_TIMEOUT_S, self._request_timeout_s)

        def ask(remaining_s: float) -> str:
            answer = self._transport.request(
                "GET", url, {"Metadata": "true"}, timeout_s=answers.limit_s(limit_s, remaining_s)
            )
            if answer.status == 400:
                return ""
            if answer.status != 200:
                answers.refuse(answer, "imds", url, PASSING, _hint(answer.status))
            return pool_type(document_format.parse(answer.body))

        try:
            return (
                self._retry(ask, replace(self._policy, deadline_s=POOL_FOR_S))
                if insist
                else ask(limit_s)
            )
        except LightinitError as error:
            LOG.info(
                "imds does not say whether this VM is preprovisioned; treating it as not"
                " preprovisioned: %s",
                error,
            )
            return ""

    def fetch_reprovision_data(self, timeout_s: float) -> Optional[bytes]:
        """The ovf-env.xml of a preprovisioned VM's owner; None while there is no owner.

        Args:
            timeout_s: seconds for this one request.

        Raises:
            LightinitError: IMDS did not answer; it may answer a moment later.
        """
        url = "%s?api-version=%s" % (
            self._base.replace("/instance", "/reprovisiondata"),
            REPROVISION_VERSION,
        )
        answer = self._transport.request("GET", url, {"Metadata": "true"}, timeout_s=timeout_s)
        return answer.body if answer.status == 200 and answer.body else None

    def fetch_text(self, path: str) -> str:
        """A single value as text.

        Args:
            path: its place, such as ``compute/vmId``.

        Raises:
            ProvisioningError: as :meth:`fetch_document`.
        """
        return self._retry(
            lambda remaining_s: document_format.parse_text(
                self._ask("/" + path, "text", remaining_s).body
            ),
            self._policy,
        )

    def _retry(self, operation: Callable[[float], Result], policy: retry.RetryPolicy) -> Result:
        with answers.asking("imds"):
            return retry.retry(
                operation, policy, self._clock, self._random, answers.log_retry("imds")
            )

    def _document(self, remaining_s: float) -> Fetched:
        answer = self._ask("", "json", remaining_s)
        warnings: List[str] = []
        document = document_format.parse(answer.body, warnings=warnings)
        # This also checks the types of all needed fields, so that a malformed document is fetched
        # again.
        missing = missing_parts(document, os_profile=self._version >= OS_PROFILE_SINCE)
        return Fetched(document, self._version, missing, tuple(warnings))

    def _ask(self, path: str, form: str, remaining_s: float) -> Response:
        """A 200 answer, in the newest api-version that both sides know."""
        ends_s = self._clock.monotonic() + remaining_s
        tried: List[str] = []
        while True:
            url = "%s%s?api-version=%s&format=%s" % (self._base, path, self._version, form)
            timeout_s = answers.limit_s(self._request_timeout_s, ends_s - self._clock.monotonic())
            answer = self._transport.request("GET", url, {"Metadata": "true"}, timeout_s=timeout_s)
            if answer.status == 200:
                return answer
            tried.append(self._version)
            other = self._other_version(answer, tried) if answer.status == 400 else None
            if other is None:
                answers.refuse(answer, "imds", url, PASSING, _hint(answer.status))
            LOG.info("imds does not know api-version %s; trying %s", self._version, other)
            self._version = other

    def _other_version(self, answer: Response, tried: List[str]) -> Optional[str]:
        """The version to ask for after a 400; None if the 400 is not about the version, or if no
        version is left.
        """
        offered = document_format.newest_versions(answer.body)
        if self._version in offered or len(tried) >= MAX_VERSIONS_TRIED:
            return None
        known = [version for version in API_VERSIONS if version not in tried]
        for version in known:
            if version in offered:
                return version
        # IMDS lists only its newest versions: it may still accept an old one that is not listed.
        if known:
            return known[0]
        return next((version for version in offered if version not in tried), None)


def _hint(status: int) -> str:
    if status in (401, 403):
        return "something on this VM or its network filters IMDS; check firewall and metadata proxy"
    if status == 400:
        return "IMDS accepts none of the requests of this release of lightinit"
    return ""
