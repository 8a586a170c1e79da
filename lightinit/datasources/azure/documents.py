"""What IMDS and the provisioning media say of this VM: which of them is waited for, and how long.

It decides which of both is sufficient, and tells what the platform has announced and not given. How
they become one Instance is in :mod:`lightinit.datasources.azure.instance`.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from lightinit.datasources.azure import instance as azure_instance
from lightinit.datasources.azure import pool
from lightinit.datasources.azure.clients import IMDS_SHARE
from lightinit.datasources.azure.imds_client import Fetched, ImdsClient
from lightinit.datasources.azure.media import MediaReading
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.azure import imds_instance
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.host.clock import Errand
from lightinit.model import NamedTuple

if TYPE_CHECKING:
    from lightinit.datasources.azure.connection import AzureConnection

LOG = logging.getLogger("lightinit.azure")
Document = Dict[str, Any]
STALE, NO_WAY_IN = "imds still describes the pool", "no account with a way in"


class WholeDocumentQuestion(Errand):
    """Asks IMDS for a whole document, in a thread: the answer may be slow, and meanwhile the report
    must go on.

    Args:
        imds: a client that nobody else uses.
    """

    def __init__(self, imds: ImdsClient) -> None:
        super().__init__("lightinit-imds")
        self._imds = imds
        self._is_whole = False
        self._ended = threading.Event()

    @property
    def is_answered(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def run(self) -> None:
        """Ask."""
        try:
            fetched = self._imds.fetch_document()
            self._is_whole = not fetched.missing and not fetched.is_last_resort
        except LightinitError as error:
            LOG.debug("no whole document yet: %s", error)
        finally:
            self._ended.set()

    def wait(self, wait_s: float) -> bool:
        """Whether the document is whole. Returns False if there is no answer within ``wait_s``."""
        self.do_here()
        self._ended.wait(wait_s)
        return self._is_whole


class Documents(NamedTuple):
    """The documents of one VM.

    Attributes:
        document: of IMDS; None if there is none. While IMDS still describes the pool, it has only
            what is true of the machine itself.
        environment: of the provisioning media or of the owner; None if there is none.
        pool_type: the kind of pool in which this VM waits for an owner, "" for none.
    """

    document: Optional[Document]
    environment: Optional[OvfEnvironment]
    pool_type: str = ""


def read_documents(
    imds: ImdsClient, media: Optional[MediaReading], options: Mapping[str, Any], warnings: List[str]
) -> Documents:
    """Read the documents of a VM that has not been in a pool in this boot.

    Args:
        imds: the client.
        media: the search for the media; None for no media.
        options: a value for each key of the section [azure].
        warnings: where to note what is odd, one sentence each.

    Raises:
        ProvisioningError: IMDS gave no document, and the media are not sufficient.
    """
    fetched: Optional[Fetched] = None
    failure: Optional[ProvisioningError] = None
    try:
        fetched = imds.fetch_document(
            lambda: media is not None and azure_instance.suffices(media.environment()),
            float(options["media_only_s"]),
        )
        warnings += fetched.warnings
    except LibraryError:
        raise  # the image must be repaired, and its maker must hear of it
    except ProvisioningError as error:
        failure = error
    document = fetched.document if fetched is not None else None
    environment = None
    if media is not None:
        wait_s = float(options["media_wait_s"])
        environment = media.wait(_needs_media(document), wait_s, warnings)
    kind = ""
    if options["preprovisioned"] != "no":
        kind = pool.find_kind(environment, imds_instance.pool_type(document or {}), warnings)
    if failure is not None and not azure_instance.suffices(environment) and not kind:
        if media is not None:
            failure.details.setdefault("media", media.why_not_enough())
        raise failure
    if failure is not None:
        warnings.append("IMDS is unavailable; using the provisioning media only: %s" % failure)
    if fetched is not None and fetched.missing and not azure_instance.suffices(environment):
        _tell_what_is_incomplete(fetched, environment, warnings)
    return Documents(document, environment, kind)


def read_owners_documents(
    imds: ImdsClient,
    environment: OvfEnvironment,
    pools: Optional[Document],
    options: Mapping[str, Any],
    warnings: List[str],
) -> Documents:
    """Read the documents of a VM that has just got an owner.

    For a while IMDS may still describe the pool. Then the owner's document alone counts.

    Args:
        imds: the client.
        environment: the owner's document; an empty one if there is none.
        pools: the document that IMDS gave before, None for none.
        options, warnings: as for :func:`read_documents`.

    Raises:
        ProvisioningError: the owner's document is not sufficient, nor that of IMDS.

    Source: canonical/cloud-init#4596: after reprovisioning, ppsType of IMDS should be None.
    """
    is_enough = azure_instance.suffices(environment)

    def is_pools(document: Document) -> bool:
        if imds_instance.is_extended(document):
            return bool(imds_instance.pool_type(document))
        # Without the extended part nothing says whose it is, but the pool's we have seen.
        return pools is not None and imds_instance.describes_the_same(document, pools)

    try:
        fetched = imds.fetch_document(lambda: is_enough, float(options["media_only_s"]), is_pools)
    except ProvisioningError as error:
        if not is_enough or isinstance(error, LibraryError):
            raise
        warnings.append("IMDS is unavailable; using the owner's document only: %s" % error)
        return Documents(None, environment)
    warnings += fetched.warnings
    if not fetched.is_stale:
        if fetched.missing and not is_enough:
            _tell_what_is_incomplete(fetched, environment, warnings)
        return Documents(fetched.document, environment)
    kind = imds_instance.pool_type(fetched.document) or "unknown"
    if not is_enough:
        raise ProvisioningError(
            STALE, pool=kind, owners_document=NO_WAY_IN, hint="run again later: lightinit boot"
        )
    warnings.append(
        "imds still describes the pool (%s): the owner's document alone is used, so user data, tags"
        " and keys that only IMDS has are missing" % ascii(kind[:40])
    )
    return Documents(imds_instance.of_the_machine(fetched.document), environment)


def find_missing(found: Documents, custom_data: str, media: Optional[MediaReading]) -> List[str]:
    """What the platform has announced and not given, one sentence each.

    Args:
        found: the documents.
        custom_data: those of the instance, "" for none.
        media: where they were searched.
    """
    document = found.document or {}
    if found.pool_type or custom_data or not imds_instance.has_custom_data(document):
        return []
    why = "the document has none that may be used"
    if found.environment is None:
        why = "no usable provisioning media"
        if media is not None and media.describe():
            why += " (%s)" % media.describe()
    return ["imds announces custom data, but there are none: %s" % why]


def _needs_media(document: Optional[Document]) -> bool:
    """Whether to wait for media that may come late: a password or custom data may be on them."""
    if document is None or imds_instance.has_custom_data(document):
        return True
    admin = azure_instance.join("", document, None, []).admin
    if admin is None:
        return not imds_instance.is_specialized(document)
    return admin.password_login is not False


def _tell_what_is_incomplete(
    fetched: Fetched, environment: Optional[OvfEnvironment], warnings: List[str]
) -> None:
    if environment is None and imds_instance.is_specialized(fetched.document):
        LOG.info(
            "imds names no account: this VM is from a specialized disk or image, and keeps the"
            " accounts that it has"
        )
        return
    warnings.append("imds document is incomplete: no " + ", no ".join(fetched.missing))


class LateData:
    """Looks for the data of a VM that had none when it asked: they may come later.

    Args:
        connection: the way to IMDS.

    Attributes:
        media: the media that have come; None before :meth:`has_media`.
    """

    def __init__(self, connection: AzureConnection) -> None:
        self._connection = connection
        self._question: Optional[WholeDocumentQuestion] = None
        self.media: Optional[MediaReading] = None

    def has_media(self) -> bool:
        """Whether media have come that are enough."""
        if self.media is None:
            connection = self._connection
            self.media = MediaReading(connection.system, str(connection.options["media"]))
        return azure_instance.suffices(self.media.environment())

    def answers(self, limit_s: float) -> bool:
        """Whether IMDS gives a whole document by now.

        Args:
            limit_s: seconds to wait for its answer.
        """
        if self._question is None or self._question.is_answered:
            options = self._connection.options
            # One attempt: its deadline is that of a single request.
            once = {"fetch_timeout_s": IMDS_SHARE * float(options["request_timeout_s"])}
            options = {**options, **once, "complete_timeout_s": 0.0}
            clients = self._connection.make_clients(options=options)
            self._question = WholeDocumentQuestion(clients.imds)
            self._question.begin()
        return self._question.wait(limit_s)
