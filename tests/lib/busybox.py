"""A busybox with adduser, or a script that stands in for it.

It comes from the environment variable LIGHTINIT_BUSYBOX, from build/busybox or from the PATH. Where
it was built without adduser (as Debian's is), a script takes the applets' options, and no others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any, Tuple

from tests.lib.scratch import HERE

BUSYBOX = r"""#!/bin/sh
# Stands in for busybox adduser, addgroup, chpasswd and deluser: the options of 1.35, on the account
# files, without a home (-H).
applet=${0##*/}
home= gecos='Linux User,,,' shell=/bin/sh group= disabled= homeless=
if [ "$1" = --help ]; then echo "BusyBox v0 stand-in. Usage: $applet"; exit 0; fi
if [ "$applet" = addgroup ] && [ $# = 1 ]; then
    grep -q "^$1:" /etc/group && exit 1
    gid=4500; while grep -q "^[^:]*:[^:]*:$gid:" /etc/group; do gid=$((gid + 1)); done
    echo "$1:x:$gid:" >>/etc/group; exit
fi
if [ "$applet" = addgroup ]; then
    [ $# = 2 ] && grep -q "^$1:" /etc/passwd && grep -q "^$2:" /etc/group || exit 1
    exec sed -i -e "/^$2:/s/[^:]\$/&,/" -e "/^$2:/s/\$/$1/" /etc/group
fi
if [ "$applet" = chpasswd ]; then
    [ "$1 $2" = "-c sha512" ] && [ $# = 2 ] || exit 1
    IFS= read -r line
    hash=$(printf %s "${line#*:}" | perl -e 'print crypt(<STDIN>, q($6$salt))')
    exec sed -i "s|^\(${line%%:*}\):[^:]*:[^:]*|\1:$hash:20000|" /etc/shadow
fi
if [ "$applet" = deluser ]; then
    [ $# = 1 ] && grep -q "^$1:" /etc/passwd || exit 1
    exec sed -i "/^$1:/d" /etc/passwd /etc/shadow /etc/group
fi
uid=4001; while grep -q "^[^:]*:[^:]*:$uid:" /etc/passwd; do uid=$((uid + 1)); done
while getopts h:g:s:G:u:DH option; do
    case $option in
        h) home=$OPTARG;; g) gecos=$OPTARG;; s) shell=$OPTARG;; G) group=$OPTARG;;
        u) uid=$OPTARG;;
        D) disabled=1;; H) homeless=1;;
        *) exit 1;;
    esac
done
shift $((OPTIND - 1))
[ $# = 1 ] && [ "$disabled$homeless" = 11 ] || exit 1
if [ -e /etc/passwd+ ]; then
    echo "adduser: can't create '/etc/passwd+': File exists" >&2; exit 1
fi
if grep -q "^$1:" /etc/passwd; then echo "adduser: user '$1' in use" >&2; exit 1; fi
if [ -z "$group" ]; then echo "$1:x:$uid:" >>/etc/group; gid=$uid
else gid=$(sed -n "s/^$group:[^:]*:\([0-9]*\):.*/\1/p" /etc/group); [ -n "$gid" ] || exit 1; fi
echo "$1:x:$uid:$gid:$gecos:${home:-/home/$1}:$shell" >>/etc/passwd
# As with a clock that starts in 1970.
echo "$1:!:0:0:99999:7:::" >>/etc/shadow
"""


def find_busybox(folder: Any) -> Tuple[str, str]:
    """(path, what it is)."""
    built = os.path.join(HERE, "build", "busybox")
    for path in (os.environ.get("LIGHTINIT_BUSYBOX"), built, shutil.which("busybox")):
        if path and os.path.exists(path):
            listed = subprocess.run(
                [path, "--list"], stdout=subprocess.PIPE, universal_newlines=True
            ).stdout.split()
            if "adduser" in listed:
                return path, "busybox"
    path = str(folder / "busybox")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(BUSYBOX)
    os.chmod(path, 0o755)
    return path, "stand-in"
