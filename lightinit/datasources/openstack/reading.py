"""Reads the tree from the metadata service. It knows no Instance."""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from lightinit import retry
from lightinit.datasources.metadata import MetadataClient, NotFoundError
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.nova import tree
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.openstack")
# What is garbled does not get better soon: something else answers.
POLICY = retry.RetryPolicy(malformed_s=10.0, min_malformed=3)
BESIDE_S = 10.0
LIST_SHARE = 0.5
# What a login seldom needs, and how long that is tried.
SELDOM, SELDOM_S = (*tree.VENDOR_DATA, tree.NETWORK_DATA), 30.0
LATE_MOST_S = 60.0  # even if each file comes
# A service that is being set up may not know the VM yet.
ROUNDS, ROUND_PAUSE_S = 4, 5.0
HINT = (
    "another server may answer in place of the metadata service; see with:"
    " curl -v http://169.254.169.254/openstack"
)


class MetadataReading:
    """Asks the metadata service. Its deadline is for all of it.

    Args:
        system: the machine; its clock is for pauses and deadlines.
        client: sends the requests.
        options: a value for each key of the section [openstack].
    """

    def __init__(self, system: System, client: MetadataClient, options: Mapping[str, Any]) -> None:
        self._clock = system.clock
        self._client = client
        self._ends_s = self._clock.monotonic() + float(options["fetch_timeout_s"])
        self._has_failed_late = False
        self.warnings: List[str] = []

    @property
    def _left_s(self) -> float:
        return max(0.0, self._ends_s - self._clock.monotonic())

    def find_version(self) -> str:
        """The version to ask in. If the service does not list them, ``latest`` has to do: half of
        the time is left for that.

        Raises:
            LibraryError: requests does not work.
        """
        try:
            offered = self._list_versions()
        except LibraryError:
            raise
        except LightinitError as error:
            LOG.info("no list of versions: %s", error)
            return tree.LATEST
        return tree.choose_version(offered)

    def check_service(self) -> None:
        """Check that what answers is OpenStack's metadata service.

        Raises:
            ProvisioningError: it is not, or nothing answers.
        """
        try:
            offered = self._list_versions()
        except LibraryError:
            raise
        except LightinitError as error:  # some proxies have no list of versions
            try:
                self._read_meta_data(tree.LATEST)
            except LightinitError:
                raise error from None
            return
        if not tree.lists_versions(offered):
            raise ProvisioningError(
                "metadata service is not openstack's",
                url="http://%s/openstack" % self._client.endpoint,
                hint="if this is another platform, set `datasource`; " + HINT,
            )

    def _list_versions(self) -> bytes:
        return self._client.get("/openstack", deadline_s=self._left_s * LIST_SHARE)

    def read_meta_data(self, version: str) -> Tuple[str, Dict[str, Any]]:
        """The document that says which instance this is, and the version in which it is there:
        ``latest`` if ``version`` is listed and missing.

        Raises:
            ProvisioningError: the service does not give it, or it is damaged.
        """
        for round_number in range(ROUNDS):
            if round_number:
                self._clock.sleep(ROUND_PAUSE_S)
            for place in dict.fromkeys((version, tree.LATEST)):
                try:
                    return place, self._read_meta_data(place)
                except NotFoundError as error:
                    missing = error
            if self._left_s <= ROUND_PAUSE_S:
                break
        raise missing

    def _read_meta_data(self, version: str) -> Dict[str, Any]:
        name = tree.name_of(version, tree.META_DATA)

        def attempt(remaining_s: float) -> Dict[str, Any]:
            data = self._client.get("/" + name, deadline_s=remaining_s)
            return tree.read_meta_data(data, name)

        try:
            return retry.retry(attempt, POLICY._replace(deadline_s=self._left_s), self._clock)
        except LibraryError:
            raise
        except LightinitError as error:
            error.details.setdefault("hint", HINT)
            raise

    def read_files(self, names: Sequence[str]) -> Dict[str, bytes]:
        """Those of the files that the service has. For one that it does not give, there is a
        warning. Once the time for all is over, the first that does not come is the last.
        """
        found: Dict[str, bytes] = {}
        for number, name in enumerate(names):
            late_s = self._clock.monotonic() - self._ends_s
            if late_s > LATE_MOST_S or (late_s >= 0.0 and self._has_failed_late):
                self.warnings.append(
                    "%d more files are not asked for, since the time is over"
                    % (len(names) - number)
                )
                break
            try:
                found[name] = self._read_file(name)
            except NotFoundError:
                LOG.debug("the metadata service has no %s", name)
            except LibraryError:
                raise
            except LightinitError as error:
                self._has_failed_late = late_s >= 0.0
                self.warnings.append("%s is not used: %s" % (name, error))
        return found

    def _read_file(self, name: str) -> bytes:
        limit_bytes = tree.FILE_LIMIT_BYTES
        if name.endswith("/" + tree.USER_DATA):
            limit_bytes = tree.USER_DATA_LIMIT_BYTES
        deadline_s = max(self._left_s, BESIDE_S)
        if name.rpartition("/")[2] in SELDOM:
            deadline_s = min(deadline_s, SELDOM_S)
        return self._client.get("/" + name, limit_bytes=limit_bytes, deadline_s=deadline_s)


def read_whole(
    reading: MetadataReading, version: str, meta_data: Dict[str, Any]
) -> Tuple[tree.Tree, Tuple[str, ...]]:
    """The whole tree, and warnings about what the service did not give."""
    found = tree.read_beside(version, meta_data, reading.read_files)
    return found, tuple(reading.warnings)
