"""A session with the metadata service (IMDSv2): a token first, then each value with it.

Source: AWS's documentation, "Use the Instance Metadata Service to access instance metadata".
"""

from __future__ import annotations

import logging
import re
from typing import List

from lightinit.datasources.metadata import DeniedError, MetadataClient, NotFoundError
from lightinit.errors import LibraryError, ProvisioningError
from lightinit.host.clock import Clock

LOG = logging.getLogger("lightinit.ec2")
SESSION_PATH = "/latest/api/token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
SESSION_HEADER = "X-aws-ec2-metadata-token"
# The service allows 1 s to 6 h. A boot takes less than this; a token that leaks is soon worthless.
TTL_S = 600
LIMIT_BYTES = 64 * 1024
# How long to ask for a token where the settings allow going without.
PATIENCE_WITHOUT_S = 15.0
# What a server answers to a PUT that it does not know.
UNKNOWN_METHOD = frozenset(("400", "404", "405", "501"))
OLD_HINT = (
    "the service knows only the older protocol (IMDSv1), which any open proxy on this VM can be"
    " made to use: if this cloud is so old, set imdsv1 = yes in [ec2]"
)
HOP_HINT = (
    "an answer with a token that never comes usually means that the hop limit is too small for the"
    " way to this machine: aws ec2 modify-instance-metadata-options --instance-id ID"
    " --http-put-response-hop-limit 2. Or a firewall blocks the metadata service"
)


class Session:
    """Asks for values, and has a token for each.

    Args:
        client: sends the requests.
        clock: for the deadlines.
        may_lack_token: whether to ask without a token if the service gives none.

    Attributes:
        warnings: what was odd, one sentence each.
    """

    def __init__(self, client: MetadataClient, clock: Clock, may_lack_token: bool = False) -> None:
        self._client = client
        self._clock = clock
        self._may_lack_token = may_lack_token
        self._token = ""
        self._is_old = False
        self.warnings: List[str] = []

    def open(self, deadline_s: float) -> None:
        """Get the first token, unless there is one.

        Args:
            deadline_s: seconds for it.

        Raises:
            ProvisioningError: there is none.
        """
        if not self._token and not self._is_old:
            self._get_token(deadline_s)

    def get(self, path: str, deadline_s: float, limit_bytes: int = LIMIT_BYTES) -> bytes:
        """The value at ``path``. A token that has expired is renewed once.

        Args:
            path: from the root, with its ``/``.
            deadline_s: seconds for everything.
            limit_bytes: the greatest length of the value.

        Raises:
            NotFoundError: there is none.
            ProvisioningError: there is no token, or the service does not give the value.
        """
        ends_s = self._clock.monotonic() + deadline_s
        self.open(deadline_s)
        try:
            return self._get(path, ends_s, limit_bytes)
        except DeniedError as error:
            if error.details.get("status") != "401":
                raise
            LOG.info("the metadata service wants a new token: %s", error)
        self._may_lack_token = False  # it has just said that it wants one
        self._is_old = False
        self._get_token(ends_s - self._clock.monotonic())
        return self._get(path, ends_s, limit_bytes)

    def _get(self, path: str, ends_s: float, limit_bytes: int) -> bytes:
        headers = {SESSION_HEADER: self._token} if self._token else {}
        return self._client.get(path, headers, limit_bytes, ends_s - self._clock.monotonic())

    def _get_token(self, deadline_s: float) -> None:
        """Get a token, or find out that the service has none and needs none."""
        self._token = ""
        if self._may_lack_token:
            deadline_s = min(deadline_s, PATIENCE_WITHOUT_S)
        try:
            body = self._client.put(SESSION_PATH, {TTL_HEADER: str(TTL_S)}, deadline_s=deadline_s)
            self._token = _read_token(body)
        except LibraryError:
            raise
        except ProvisioningError as error:
            if not self._may_lack_token:
                raise _explained(error) from None
            self._is_old = True
            self.warnings.append(
                "the metadata service gives no token, and is asked without one, as imdsv1 = yes"
                " allows: %s" % error
            )


def _read_token(body: bytes) -> str:
    """The token, which becomes a header.

    Raises:
        ProvisioningError: it cannot be one.
    """
    token = body.decode("latin-1").strip()
    if not re.match(r"[!-~]{1,2048}\Z", token):
        raise ProvisioningError(
            "metadata token is not usable",
            bytes=len(body),
            hint="something else answers in place of the metadata service: curl -v -X PUT URL",
        )
    return token


def _explained(error: ProvisioningError) -> ProvisioningError:
    """The error of a request for a token, with what to do."""
    status = "404" if isinstance(error, NotFoundError) else error.details.get("status", "")
    if status in UNKNOWN_METHOD:
        return ProvisioningError(
            "metadata service gives no tokens",
            url=error.details.get("url", ""),
            status=status,
            hint=OLD_HINT,
        )
    if error.reason == "request timed out":
        error.details["hint"] = HOP_HINT
    return error
