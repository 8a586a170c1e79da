"""What both servers refuse before they look at what is asked: signs that the request took a wrong
way here.

Knows no socket and no endpoint. Source: Azure IMDS docs (X-Forwarded-For; "not intended to be used
behind a proxy"); that the WireServer is as strict is decided here, since a proxied report comes
from the wrong VM.
"""

from __future__ import annotations

from lightinit.emulator.wire.messages import Request


def find_detour(request: Request, well_known: str) -> str:
    """Say why a request did not come straight from an agent, "" when it did.

    Args:
        request: what was asked.
        well_known: the server's address on the real platform, accepted in Host as well as the one
            in use.
    """
    if request.method == "CONNECT" or "://" in request.target.partition("?")[0]:
        return "Bad request. The request line names a whole URL: it was sent as to a proxy"
    if not request.target.startswith("/"):
        return "Bad request. The request line's target does not start with /"
    if "x-forwarded-for" in request.headers:
        return "Bad request. Requests with X-Forwarded-For are refused"
    host = request.headers.get("host", "")
    for address in (request.local_host, well_known):
        if host == "%s:%d" % (address, request.local_port) or host in (address, address + ":80"):
            return ""
    return "Bad request. Host is %r, but this is %s:%d" % (
        host,
        request.local_host,
        request.local_port,
    )
