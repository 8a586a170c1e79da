"""Finds signs of a proxy or a wrong address, which all servers refuse first.

Knows no socket and no endpoint. Source: Azure IMDS docs (X-Forwarded-For; "not intended to be used
behind a proxy"). Decided here: the WireServer is as strict, because a proxy's report comes from the
wrong VM.
"""

from __future__ import annotations

from lightinit.emulator.wire.messages import Request


def find_detour(request: Request, well_known: str) -> str:
    """Return why a request did not come directly from an agent, "" if it did.

    Args:
        request: the request.
        well_known: the server's address on the real platform; Host may name it, or the address in
            use.
    """
    if request.method == "CONNECT" or "://" in request.target.partition("?")[0]:
        return "Bad request. The request line has a whole URL, as for a proxy"
    if not request.target.startswith("/"):
        return "Bad request. The request line's target does not start with /"
    if "x-forwarded-for" in request.headers:
        return "Bad request. Requests with X-Forwarded-For are refused"
    host = request.headers.get("host", "")
    for address in (request.local_host, well_known):
        if host == "%s:%d" % (address, request.local_port) or host in (address, address + ":80"):
            return ""
    return "Bad request. Host is %r, but this server is %s:%d" % (
        host,
        request.local_host,
        request.local_port,
    )
