"""The platform's certificates, from the goal state to certificates with their keys.

It brings together the pair that they are encrypted to, the server that has them, and the format
that they are in.
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

    They are asked for in AES, and in 3DES where the server does not know that, or where its answer
    cannot be opened.

    Args:
        client: asks the WireServer.
        goal_state: names their URL.
        now_s: Unix time in seconds, right or wrong, for the dates of the transport certificate.

    Returns:
        Each certificate with its key, where the platform gave that; none when it has none for this
        VM.

    Raises:
        ProvisioningError: they could not be had, or not be opened.
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
                "certificates in %s cannot be opened (%s): asking for %s", cipher, error, ciphers[0]
            )
            continue
        LOG.info(
            "%d certificates from the platform, %d of them with a key",
            len(certificates),
            sum(1 for each in certificates if each.key),
        )
        return certificates
