"""EC2's metadata service: its version, the instance id, the values, the user data.

It knows no Instance; :mod:`lightinit.formats.ec2.instance` does.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, List, Mapping, Optional, Tuple

from lightinit.datasources.ec2.crawl import crawl
from lightinit.datasources.ec2.session import Session
from lightinit.datasources.ec2.settings import ADDRESS
from lightinit.datasources.metadata import (
    POLICY,
    MetadataClient,
    NotFoundError,
)
from lightinit.errors import LibraryError, LightinitError, MalformedError, ProvisioningError
from lightinit.formats.ec2.tree import Tree, decode_text
from lightinit.host.network.http import OnRequest
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.ec2")
# Newest first. The first has tags, the second is the oldest that all have: it has all that a boot
# needs. A service that knows no dates has "latest".
VERSIONS = ("2021-03-23", "2009-04-04", "latest")
USER_DATA_LIMIT_BYTES = 1024 * 1024
# How long what only helps is waited for.
COMFORT_S = 10.0
# A service that is being set up may not know the VM yet.
ROUNDS, ROUND_PAUSE_S = 3, 2.0
MIN_PAUSE_S = 0.05
CAP_FACTOR = 15.0


class Ec2Service:
    """Asks the metadata service of one VM.

    Args:
        system: the machine.
        options: a value for each key of the section [ec2].
        on_request: called after each request.
        while_waiting: called while each request is under way.
    """

    def __init__(
        self,
        system: System,
        options: Mapping[str, Any],
        on_request: Optional[OnRequest] = None,
        while_waiting: Optional[Callable[[], None]] = None,
    ) -> None:
        endpoint = str(options["endpoint"])
        first_s = max(MIN_PAUSE_S, float(options["retry_first_s"]))
        client = MetadataClient(
            system,
            ADDRESS if endpoint == "auto" else endpoint,
            on_request,
            float(options["request_timeout_s"]),
            POLICY._replace(first_s=first_s, cap_s=CAP_FACTOR * first_s),
        )
        client.transport.while_waiting = while_waiting
        self.endpoint = client.endpoint
        self._clock = system.clock
        self._session = Session(client, system.clock, bool(options["imdsv1"]))
        self._whole_s = float(options["fetch_timeout_s"])
        self._ends_s = 0.0
        self._version = ""
        self._instance_id = ""

    @property
    def warnings(self) -> List[str]:
        """What was odd in the session, one sentence each."""
        return self._session.warnings

    def start(self) -> None:
        """Let the time for all begin that comes now."""
        self._ends_s = self._clock.monotonic() + self._whole_s

    def find_instance_id(self) -> str:
        """The instance id, such as i-0123456789abcdef0. It is asked for once, and with it the
        version of the protocol is found.

        Raises:
            ProvisioningError: the service does not give one.
        """
        if not self._instance_id:
            self._session.open(self._left_s())
        for round_number in range(ROUNDS):
            if self._instance_id:
                break
            if round_number:
                self._clock.sleep(ROUND_PAUSE_S)
            missing = self._try_versions()
            if missing is not None and not isinstance(missing, NotFoundError):
                break
        if not self._instance_id:
            raise missing or ProvisioningError(
                "instance id is unknown", endpoint=self.endpoint, said="an empty instance-id"
            )
        return self._instance_id

    def _try_versions(self) -> Optional[ProvisioningError]:
        """Ask for the instance id in each version, until one has it. Returns an error that says
        why none has: not 404, if there is another.
        """
        errors: List[ProvisioningError] = []
        for number, version in enumerate(VERSIONS, 1):
            path = "/%s/meta-data/instance-id" % version
            share_s = self._left_s() / (1 if number == len(VERSIONS) else 2)
            try:
                found = decode_text(self._get(path, share_s), path).strip()
            except LibraryError:
                raise
            except ProvisioningError as error:
                # Some clouds have another answer than 404 for a version that they do not know, or
                # fail because of it.
                if error.details.get("status") == "401":
                    raise
                errors.append(error)
                continue
            except MalformedError as error:
                errors.append(ProvisioningError(error.reason, **error.details))
                continue
            if found:
                self._version, self._instance_id = version, found
                return None
        others = [error for error in errors if not isinstance(error, NotFoundError)]
        return (others + errors + [None])[0]

    def fetch_tree(self) -> Tuple[Tree, Tuple[str, ...]]:
        """The values below meta-data/, and warnings.

        Raises:
            ProvisioningError: what a login needs could not be got.
        """
        self.find_instance_id()
        base = "/%s/meta-data/" % self._version

        def get(path: str, needed: bool) -> bytes:
            left_s = self._left_s() if needed else min(COMFORT_S, self._left_s())
            return self._get(base + path, left_s)

        try:
            return crawl(get, lambda: self._clock.monotonic() >= self._ends_s + COMFORT_S)
        except MalformedError as error:
            raise ProvisioningError(error.reason, **error.details) from error

    def fetch_user_data(self) -> Tuple[bytes, Tuple[str, ...]]:
        """The user data, b"" if the owner gave none; and warnings.

        Raises:
            LibraryError: requests does not work.
        """
        try:
            path = "/%s/user-data" % self._version
            return self._session.get(path, self._left_s(), USER_DATA_LIMIT_BYTES), ()
        except NotFoundError:
            return b"", ()
        except LibraryError:
            raise
        except LightinitError as error:
            return b"", ("the user data could not be fetched, and have no effect: %s" % error,)

    def _get(self, path: str, deadline_s: float) -> bytes:
        return self._session.get(path, deadline_s)

    def _left_s(self) -> float:
        return max(COMFORT_S, self._ends_s - self._clock.monotonic())
