"""The minimal agent that lightinit is compared with: the public recipe's script, rewritten.

It GETs the goal state, takes three fields from it, and POSTs Ready. It retries, checks and stores
nothing.

Usage: recipe.py HOST:PORT
"""

import http.client
import sys
import xml.etree.ElementTree

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<Health><GoalStateIncarnation>%s</GoalStateIncarnation><Container><ContainerId>%s</ContainerId>\
<RoleInstanceList><Role><InstanceId>%s</InstanceId><Health><State>Ready</State></Health></Role>\
</RoleInstanceList></Container></Health>"""


def main() -> int:
    """Report Ready. Returns the exit code."""
    connection = http.client.HTTPConnection(sys.argv[1])
    connection.request("GET", "/machine?comp=goalstate", headers={"x-ms-version": "2012-11-30"})
    goal_state = xml.etree.ElementTree.fromstring(connection.getresponse().read())  # noqa: S314
    fields = [
        goal_state.findtext(path) or ""
        for path in (
            "Incarnation",
            "Container/ContainerId",
            "Container/RoleInstanceList/RoleInstance/InstanceId",
        )
    ]
    # The recipe opens a connection for each request.
    connection = http.client.HTTPConnection(sys.argv[1])
    connection.request(
        "POST",
        "/machine?comp=health",
        body=REPORT % tuple(fields),
        headers={
            "x-ms-version": "2012-11-30",
            "x-ms-agent-name": "WALinuxAgent",
            "Content-Type": "text/xml;charset=utf-8",
        },
    )
    return 0 if connection.getresponse().status // 100 == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
