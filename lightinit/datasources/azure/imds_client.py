"""The Instance Metadata Service: its api-version, when it is ready, when its document is complete.

It knows no Instance and decides nothing about the VM. :mod:`lightinit.formats.azure.imds_instance`
knows what the document's fields mean.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from lightinit import retry
from lightinit.datasources.azure import answers
from lightinit.datasources.azure.identity import IMDS
from lightinit.errors import (
    LibraryError,
    LightinitError,
    MalformedError,
    ProvisioningError,
    TransientError,
)
from lightinit.formats.azure import imds as document_format
from lightinit.formats.azure.imds_instance import OS_PROFILE, is_specialized, missing_parts
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.imds")
API_VERSIONS = ("2023-11-15", "2021-08-01", "2019-06-01")
OS_PROFILE_SINCE = "2020-07-15"
EXTENDED_SINCE = "2021-08-01"
REPROVISION_VERSION = "2019-06-01"
# IMDS answers 404 and 410 while it is being set up or moved, 408 and 429 when it is busy.
PASSING = frozenset((404, 408, 410, 429))
MAX_VERSIONS_TRIED = 5
# The plain document gets this part of the whole time, after the extended one has failed.
PLAIN_SHARE = 0.2
# For the document in which an id is looked for: the id alone may come earlier.
EARLY_S = 5.0
Result = TypeVar("Result")


class Fetched(NamedTuple):
    """A metadata document.

    Attributes:
        document: as parsed.
        api_version: the version that it was asked in.
        missing: the parts that are still missing after all waiting.
        warnings: what was odd in it, or in how it came.
        is_stale: whether it still describes the VM before it had an owner.
        is_last_resort: whether it is plain because IMDS did not give the extended one.
    """

    document: Dict[str, Any]
    api_version: str
    missing: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    is_stale: bool = False
    is_last_resort: bool = False


class _NoExtendedDocument(Exception):
    """This IMDS does not know ``extended=true``."""


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
        request_timeout_s: float = 30.0,
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
        self._has_extended = True  # until it says that it has not
        self._early: Optional[Fetched] = None

    def fetch_document(
        self,
        can_do_without: Callable[[], bool] = lambda: False,
        without_timeout_s: float = 0.0,
        is_stale: Callable[[Dict[str, Any]], bool] = lambda document: False,
    ) -> Fetched:
        """The whole metadata document.

        ``extended=true`` is the question: IMDS then fails rather than leaving something out, so it
        is asked until the deadline. The plain document may come early and lack keys, user data or
        tags. It is taken if IMDS does not know the parameter, and as a last resort.

        A plain document that is incomplete, or an extended one that contradicts itself, is fetched
        again for up to ``complete_timeout_s``, then used as it is. An extended one without
        osProfile and keys is whole: the VM is from a specialized disk.

        Args:
            can_do_without: tells whether another source is sufficient by now. If so, an incomplete
                document is used at once, and after ``without_timeout_s`` the attempts end.
            without_timeout_s: seconds to keep trying although another source is sufficient, but for
                at least two attempts.
            is_stale: tells whether a document still describes the VM before it had an owner. It is
                fetched again: for ``complete_timeout_s``, or until the deadline if there is no
                other sufficient source.

        Raises:
            ProvisioningError: there was none before the deadline, or IMDS refuses permanently.

        Source: cloud-init's and azure-init's clients of IMDS; Azure/azure-init#134.
        """
        started_s, attempts = self._clock.monotonic(), 0

        def attempt(remaining_s: float) -> Fetched:
            nonlocal attempts
            attempts += 1
            try:
                return self._document(remaining_s)
            except (TransientError, MalformedError) as error:
                elapsed_s = self._clock.monotonic() - started_s
                if attempts > 1 and elapsed_s >= without_timeout_s and can_do_without():
                    raise ProvisioningError(
                        error.reason, **{**error.details, "elapsed_s": "%.1f" % elapsed_s}
                    ) from error
                raise

        try:
            fetched = self._retry(attempt, self._policy)
        except ProvisioningError as failure:
            if not self._has_extended or isinstance(failure, LibraryError):
                raise
            fetched = self._plain_instead(failure, once=can_do_without())
            return fetched._replace(is_stale=is_stale(fetched.document))
        left_s = self._policy.deadline_s - (self._clock.monotonic() - started_s)
        return self._completed(fetched, left_s, can_do_without, is_stale)

    def _completed(
        self,
        fetched: Fetched,
        left_s: float,
        can_do_without: Callable[[], bool],
        is_stale: Callable[[Dict[str, Any]], bool],
    ) -> Fetched:
        """The document once it is complete and this VM's, or the last one before time is up."""
        kept: List[Fetched] = []

        def complete(remaining_s: float) -> Fetched:
            # The first attempt checks the document that is there already, so that a pause comes
            # before the next request.
            newest = self._document(remaining_s) if kept else fetched
            kept.append(newest._replace(is_stale=is_stale(newest.document)))
            if kept[-1].is_stale:
                raise TransientError("imds still describes the pool", hint="")
            lacking = _worth_waiting_for(kept[-1])
            if lacking and not can_do_without():
                raise TransientError(
                    "imds document is incomplete", missing=" and ".join(lacking), hint=""
                )
            return kept[-1]

        within_s = min(self._complete_timeout_s, left_s)
        if is_stale(fetched.document) and not can_do_without():
            within_s = left_s
        try:
            return self._retry(complete, self._policy._replace(deadline_s=within_s))
        except ProvisioningError as error:
            LOG.warning("using the imds document as it is: %s", error)
            return self._fuller(kept[-1], is_stale)

    def _fuller(self, fetched: Fetched, is_stale: Callable[[Dict[str, Any]], bool]) -> Fetched:
        """The plain document, if less is missing in it than in the extended one."""
        can_ask = self._has_extended and self._complete_timeout_s > 0
        if fetched.is_stale or not can_ask or not _worth_waiting_for(fetched):
            return fetched
        self._has_extended = False
        try:
            plain = self._document(self._request_timeout_s)
        except LightinitError as error:
            LOG.info("imds does not give its plain document either: %s", error)
            return fetched
        finally:
            self._has_extended = True
        if is_stale(plain.document) or len(plain.missing) >= len(fetched.missing):
            return fetched
        told = (
            "the extended document of imds lacks what the plain one has (%s): using the plain one"
        )
        told %= ", ".join(fetched.missing)
        return plain._replace(warnings=plain.warnings + (told,))

    def _plain_instead(self, failure: ProvisioningError, once: bool) -> Fetched:
        """The plain document, after IMDS has not given the extended one.

        Args:
            failure: why not.
            once: whether to ask only once. That is also enough if IMDS has not answered at all.

        Raises:
            ProvisioningError: ``failure``; IMDS does not give the plain one either.
        """
        answers_at_all = "status" in failure.details or isinstance(
            failure.__cause__, MalformedError
        )
        self._has_extended = False
        try:
            if once or not answers_at_all:
                fetched = self._document(self._request_timeout_s)
            else:
                deadline_s = PLAIN_SHARE * self._policy.deadline_s
                fetched = self._retry(self._document, self._policy._replace(deadline_s=deadline_s))
        except LightinitError as error:
            LOG.info("imds does not give its plain document either: %s", error)
            raise failure from None
        finally:
            self._has_extended = True
        told = "imds gave no extended document, only the plain one, which may lack keys, user data"
        told += ", tags and the pool that this VM is of: %s" % failure
        return fetched._replace(warnings=fetched.warnings + (told,), is_last_resort=True)

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

    def fetch_vm_id(self) -> str:
        """The platform's id of this VM.

        The document that the boot needs next has it, so that is asked first, once, and kept for
        :meth:`fetch_document`. If it does not come, the single value is asked for, which may come
        earlier.

        Raises:
            ProvisioningError: as :meth:`fetch_document`.
        """
        try:
            self._early = self._document(min(EARLY_S, self._request_timeout_s))
            found = str((self._early.document.get("compute") or {}).get("vmId") or "")
        except LibraryError:
            raise
        except LightinitError as error:
            LOG.info("imds does not give its document yet: %s", error)
            found = ""
        return found or self.fetch_text("compute/vmId")

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
        early, self._early = self._early, None
        if early is not None:
            return early
        ends_s = self._clock.monotonic() + remaining_s
        if self._has_extended and self._version >= EXTENDED_SINCE:
            try:
                return self._parsed(self._ask("", "json", remaining_s, EXTENDED_SINCE))
            except _NoExtendedDocument:
                LOG.info("imds has no extended document; asking for the plain one")
                self._has_extended = False
        return self._parsed(self._ask("", "json", ends_s - self._clock.monotonic()))

    def _parsed(self, answer: Response) -> Fetched:
        warnings: List[str] = []
        document = document_format.parse(answer.body, warnings=warnings)
        # This also checks the types of all needed fields, so that a malformed document is fetched
        # again.
        missing = missing_parts(document, os_profile=self._version >= OS_PROFILE_SINCE)
        return Fetched(document, self._version, missing, tuple(warnings))

    def _ask(self, path: str, form: str, remaining_s: float, extended_since: str = "") -> Response:
        """A 200 answer, in the newest api-version that both sides know.

        Args:
            path: the place of the value.
            form: ``json`` or ``text``.
            remaining_s: seconds for all requests.
            extended_since: ask for the extended document, in this version or a newer one.

        Raises:
            _NoExtendedDocument: IMDS refuses the extended document in each such version.
        """
        ends_s = self._clock.monotonic() + remaining_s
        more = "&extended=true" * bool(extended_since)
        tried: List[str] = []
        while True:
            url = "%s%s?api-version=%s%s&format=%s" % (self._base, path, self._version, more, form)
            timeout_s = answers.limit_s(self._request_timeout_s, ends_s - self._clock.monotonic())
            answer = self._transport.request("GET", url, {"Metadata": "true"}, timeout_s=timeout_s)
            if answer.status == 200:
                return answer
            tried.append(self._version)
            other = None
            if answer.status == 400:
                other = self._other_version(answer, tried, extended_since)
                if extended_since and other is None:
                    self._version = self._plain_version(answer, tried)
                    raise _NoExtendedDocument
            if other is None:
                answers.refuse(answer, "imds", url, PASSING, _hint(answer.status))
            LOG.info("imds does not know api-version %s; trying %s", self._version, other)
            self._version = other

    def _other_version(self, answer: Response, tried: List[str], since: str = "") -> Optional[str]:
        """The version to ask for after a 400, ``since`` or newer; None if the 400 is not about the
        version, or if no version is left.
        """
        offered = document_format.newest_versions(answer.body)
        if self._version in offered or len(tried) >= MAX_VERSIONS_TRIED:
            return None
        if offered and offered[0] < since:
            return None
        known = [version for version in API_VERSIONS if version not in tried and version >= since]
        for version in known:
            if version in offered:
                return version
        # IMDS lists only its newest versions: it may still accept an old one that is not listed.
        if known:
            return known[0]
        left = (version for version in offered if version not in tried and version >= since)
        return next(left, None)

    def _plain_version(self, answer: Response, tried: List[str]) -> str:
        """The first version for the plain document, after a 400 for the extended one."""
        offered = document_format.newest_versions(answer.body)
        if self._version in offered:
            return self._version
        other = self._other_version(answer, tried)
        if other is not None and other in offered:
            return other
        return API_VERSIONS[0]


def _worth_waiting_for(fetched: Fetched) -> Tuple[str, ...]:
    """The missing parts that may still come. A VM from a specialized disk gets no osProfile."""
    if is_specialized(fetched.document):
        return tuple(part for part in fetched.missing if part != OS_PROFILE)
    return fetched.missing


def _hint(status: int) -> str:
    if status in (401, 403):
        return "something on this VM or its network filters IMDS; check firewall and metadata proxy"
    if status == 400:
        return "IMDS accepts none of the requests of this release of lightinit"
    return ""
