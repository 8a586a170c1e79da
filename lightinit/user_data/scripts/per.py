"""The program ``cloud-init-per``, which ``bootcmd``, boothooks and scripts of many documents call:
it runs a command once, once per instance, or always. It is there for scripts that name it, where
the host has none.

Source: cloud-init's documentation, "Module reference" (the module bootcmd).
"""

from __future__ import annotations

from lightinit.host.scripts.run import make_environment
from lightinit.host.system import System
from lightinit.user_data.kept import FOLDER as INSTANCE

NAME = "cloud-init-per"
FOLDER = INSTANCE + "/bin"
MARKS = "/var/lib/lightinit/sem"  # in the life of the disk, whatever the instance
PROGRAM = """#!/bin/sh
# Made by lightinit for user data: runs a command, and remembers that it has.
usage="usage: cloud-init-per once|instance|always NAME COMMAND [ARGUMENT...]"
[ $# -ge 3 ] || { echo "$usage" >&2; exit 1; }
case $1 in
once) marks=%s ;;
instance) marks=%s/sem ;;
always) marks= ;;
*) echo "$usage" >&2; exit 1 ;;
esac
case $2 in
*/*) echo "cloud-init-per: NAME cannot have a /" >&2; exit 1 ;;
esac
mark=$marks/per.$2
shift 2
[ -n "$marks" ] || exec "$@"
[ ! -e "$mark" ] || exit 0
"$@"
status=$?
mkdir -p "$marks" && echo "$status" >"$mark" || exit 1
exit "$status"
"""


def find_path(system: System, script: bytes) -> str:
    """The variable ``PATH`` for a script that calls the program; "" if it does not, or the host has
    one. The program is written.

    Args:
        system: the machine; it must be live.
        script: the script.

    Raises:
        ProvisioningError: the program cannot be written.
    """
    if NAME.encode("ascii") not in script or system.tool(NAME) is not None:
        return ""
    program = PROGRAM % (system.path(MARKS), system.path(INSTANCE))
    system.write("%s/%s" % (FOLDER, NAME), program.encode("utf-8"), 0o755)
    return "%s:%s" % (system.path(FOLDER), make_environment(system)["PATH"])
