"""A host whose programs for SSH host keys are scripts, which a test tells what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional

from tests.lib.scratch import ScriptedClock
from tests.lib.stand_in import LiveRoot

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
# A file with the name of a type says what happens when its key is made, once.
KEYGEN = """#!/bin/sh
cd %(folder)s
echo "$*" >>starts
name=image
case "$1 $3" in "-A "*/rest) ;; -A*) name=$(uname -n) ;; esac
make() {
    [ -s "$2" ] && return
    what=$(cat "$1" 2>/dev/null); rm -f "$1"
    case $what in
    fail) echo "no $1" >&2; exit 1 ;;
    die) kill -9 $$ ;;
    hang) echo $$ >pid; while :; do sleep 0.1; done ;;
    half) echo half >"$2"; echo half >"$2.pub"; kill -9 $$ ;;
    esac
    echo "new $1" >"$2"
    echo "ssh-ed25519 %(blob)s root@$name" >"$2.pub"
}
case $1 in
-A) for kind in rsa ecdsa ed25519; do make $kind "$3/etc/ssh/ssh_host_${kind}_key"; done ;;
*) make $3 "$7" ;;
esac
"""
DROPBEARKEY = """#!/bin/sh
cd %(folder)s
echo "$*" >>starts
[ "$1" != -y ] || exit 1
what=$(cat $2 2>/dev/null); rm -f $2
case $what in
fail) exit 1 ;;
empty) : >"$4"; exit 0 ;;
hang) echo $$ >pid; while :; do sleep 0.1; done ;;
esac
printf 'Public key portion is:\\nssh-ed25519 %(blob)s root@image\\n'
printf '\\000\\000\\000\\007ssh-%%s new' $2 >"$4"
"""


class EarlyHost(LiveRoot):
    """Its programs are scripts that run.

    Args:
        folder: an empty directory.
        tools: the names of the programs, each with its script.
    """

    def __init__(self, folder: Path, tools: Dict[str, str]) -> None:
        (folder / "root/etc/ssh").mkdir(parents=True)
        super().__init__(folder / "root")
        self.clock = ScriptedClock()
        self.folder, self.tools = folder, tools
        for name, script in tools.items():
            (folder / name).write_text(script % {"folder": folder, "blob": BLOB})
            (folder / name).chmod(0o755)

    def tool(self, name: str) -> Optional[str]:
        return str(self.folder / name) if name in self.tools else None

    def order(self, kind: str, what: str) -> None:
        """Tell the program what to do when it is to make a key of this type."""
        (self.folder / kind).write_text(what)

    def put(self, name: str, text: str) -> None:
        """Write a file."""
        path = Path(self.root + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def starts(self) -> List[str]:
        """The command lines so far, with the private folder left out."""
        there = self.folder / "starts"
        found = there.read_text().splitlines() if there.exists() else []
        return sorted(" ".join(each.split("/")[0] for each in line.split(" ")) for line in found)

    def found(self, folder: str = "/etc/ssh") -> Dict[str, str]:
        """Name -> content of the files of a folder; "" for another folder."""
        paths = sorted(Path(self.root + folder).iterdir())
        return {path.name: path.is_file() and path.read_text().strip() or "" for path in paths}


def openssh(folder: Path) -> EarlyHost:
    return EarlyHost(folder, {"sshd": "#!/bin/sh\n", "ssh-keygen": KEYGEN})
