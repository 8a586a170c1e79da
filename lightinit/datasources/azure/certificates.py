"""The platform's certificates, from the goal state to certificates with their keys.

It combines the transport key pair, the WireServer's client and the format of the bundle.
"""

from __future__ import annotations

import logging
from typing import Tuple

from lightinit.datasources.azure.wireserver_client import CIPHERS, WireServerClient
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.certificates.bundle import open_bundle
from lightinit.formats.certificates.transport_pair import make_transport
from lightinit.model import Certificate, GoalState

LOG = logging.getLogger("lightinit.certificates")


def fetch_certificates(
    client: WireServerClient, goal_state: GoalState, now_s: float
) -> Tuple[Certificate, ...]:
    """All certificates that the platform has for this VM.

    The request asks for AES first. It asks for 3DES if the server does not know AES, or if the
    bundle cannot be opened.

    Args:
        client: the WireServer's client.
        goal_state: names the certificates' URL.
        now_s: Unix time in seconds for the dates of the transport certificate. The clock may be
            wrong.

    Returns:
        Each certificate, with its key if the platform gave one. Empty if the platform has none for
        this VM.

    Raises:
        ProvisioningError: the certificates could not be fetched or opened.
    """
    if goal_state.certificates_url is None:
        return ()
    transport = make_transport(now_s)
    ciphers: Tuple[str, ...] = CIPHERS
    while True:
        bundle, cipher = client.fetch_certificates(goal_state, transport.header, ciphers)
        if bundle is None:
            return ()
        try:
            certificates = open_bundle(bundle, transport)
        except MalformedError as error:
            ciphers = ciphers[ciphers.index(cipher) + 1 :]
            if not ciphers:
                raise ProvisioningError(error.reason, **error.details) from error
            LOG.warning(
                "certificates in %s cannot be opened (%s); asking for %s", cipher, error, ciphers[0]
            )
            continue
        LOG.info(
            "%d certificates from the platform, %d of them with a key",
            len(certificates),
            sum(1 for each in certificates if each.key),
        )
        return certificates
