"""The platform's certificates, from the goal state to certificates with their keys.

It combines the transport key pair, the WireServer's client and the format of the bundle. Few VMs
need it, so it is imported only by those.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import List, Optional, Sequence, Tuple

from lightinit.datasources.azure import answers
from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.datasources.azure.wireserver.goal_state_source import PASSING
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.certificates.bundle import open_bundle, parse_certificate_file
from lightinit.formats.certificates.transport_pair import make_transport
from lightinit.libraries import use
from lightinit.model import Certificate, GoalState

LOG = logging.getLogger("lightinit.certificates")
# The ciphers to ask for, and the statuses with which a server refuses a cipher.
CIPHERS = ("AES128_CBC", "DES_EDE3_CBC")
UNKNOWN_CIPHER = frozenset((400, 406, 415, 500, 501))
LIMIT_BYTES = 2 * 1024 * 1024
LIBRARY = "cryptography"


def fetch_certificates(
    client: WireServerClient,
    goal_state: GoalState,
    now_s: float,
    warnings: Optional[List[str]] = None,
) -> Tuple[Certificate, ...]:
    """All certificates that the platform has for this VM.

    The request asks for AES first. It asks for 3DES if the server does not know AES, or if the
    bundle cannot be opened.

    Args:
        client: the WireServer's client.
        goal_state: names the certificates' URL.
        now_s: Unix time in seconds for the dates of the transport certificate. The clock may be
            wrong.
        warnings: gets one for each certificate and each key that cannot be read.

    Returns:
        Each certificate, with its key if the platform gave one. Empty if the platform has none for
        this VM.

    Raises:
        ProvisioningError: the certificates could not be fetched or opened.
    """
    if goal_state.certificates_url is None:
        return ()
    transport = use(LIBRARY, lambda: make_transport(now_s))
    ciphers: Tuple[str, ...] = CIPHERS
    while True:
        bundle, cipher = _fetch_bundle(client, goal_state, transport.header, ciphers)
        if bundle is None:
            return ()
        refused: List[MalformedError] = []
        opener = partial(open_bundle, bundle, transport, refused)
        try:
            certificates = use(LIBRARY, opener)
        except MalformedError as error:
            ciphers = ciphers[ciphers.index(cipher) + 1 :]
            if not ciphers:
                raise ProvisioningError(error.reason, **error.details) from error
            LOG.warning(
                "certificates in %s cannot be opened (%s); asking for %s", cipher, error, ciphers[0]
            )
            continue
        if warnings is not None:
            warnings += ["one of the platform's certificates is left out: %s" % e for e in refused]
        LOG.info(
            "%d certificates from the platform, %d of them with a key",
            len(certificates),
            sum(1 for each in certificates if each.key),
        )
        return certificates


def _fetch_bundle(
    client: WireServerClient, goal_state: GoalState, header: str, ciphers: Sequence[str]
) -> Tuple[Optional[bytes], str]:
    """The bundle (None if the server has none) and the cipher that it is in."""
    order = list(ciphers)

    def ask(current: GoalState, ends_s: float) -> Tuple[Optional[bytes], str]:
        if current.certificates_url is None:
            return None, ciphers[0]
        return _ask(client, current.certificates_url, header, order, ends_s)

    return client.fetch_named(goal_state, ask)


def _ask(
    client: WireServerClient, url: str, header: str, ciphers: List[str], ends_s: float
) -> Tuple[Optional[bytes], str]:
    """Make one attempt. If the server refuses a cipher, ask for the next one.

    If it throttles that one, put it first in ``ciphers``: the next attempt begins with it, since a
    second request may never pass.
    """
    if not client.is_ours(url):
        raise ProvisioningError(
            "certificates url is not the wireserver's",
            url=url,
            wireserver=client.endpoint,
            hint="do not trust this goal state; check that this is really Azure's WireServer",
        )
    for cipher in tuple(ciphers):
        headers = {"x-ms-guest-agent-public-x509-cert": header, "x-ms-cipher-name": cipher}
        answer = client.get_named(url, headers, ends_s, LIMIT_BYTES)
        if answer.status == 200:
            return parse_certificate_file(answer.body), cipher
        if answer.status in answers.THROTTLED:
            ciphers.sort(key=lambda each: each != cipher)
        if answer.status not in UNKNOWN_CIPHER:
            break
        LOG.info("wireserver does not send certificates in %s: status %d", cipher, answer.status)
    answers.refuse(answer, "wireserver", url, PASSING, "the server does not send its certificates")
