"""What the demos share: the command, and how its results are shown."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import List

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOBODY = 65534


def give_up_root() -> None:
    """Continue as the user nobody, if this is root and nobody can read the checkout.

    This shows that the demo needs no privileges.
    """
    if os.geteuid() != 0:
        return

    def drop() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    tried = subprocess.run(
        [sys.executable, "-c", "import lightinit.cli"],
        cwd=HERE,
        preexec_fn=drop,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    if tried.returncode == 0:
        drop()
        print("(started as root, continuing as nobody)")


def lightinit(root: str, *arguments: str) -> int:
    """Run the real command on the scratch root; return 0 if it succeeded, else 1."""
    print("$ lightinit --root %s %s" % (root, " ".join(arguments)), flush=True)
    began_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "lightinit", "--root", root, *arguments],
        cwd=HERE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    print(
        "(exit code %d after %.3f s)" % (ended.returncode, time.monotonic() - began_s), flush=True
    )
    return min(ended.returncode, 1)


def show_tree(root: str) -> None:
    """Print the files that lightinit has written."""
    title("Files in the scratch root")
    rules = ["/etc/sudoers.d/" + name for name in sorted(os.listdir(root + "/etc/sudoers.d"))]
    for name in ["/etc/hostname", "/etc/hosts", "/etc/passwd"] + rules:
        show_file(root, name)
    for folder in sorted(os.listdir(root + "/home")):
        show_file(root, "/home/%s/.ssh/authorized_keys" % folder)
    print("-- /var/lib/lightinit")
    for folder, _, files in sorted(os.walk(root + "/var/lib/lightinit")):
        for file in sorted(files):
            path = os.path.join(folder, file)
            print(
                "   %s %6d  %s"
                % (oct(os.stat(path).st_mode)[-4:], os.path.getsize(path), path[len(root) :])
            )


def show_file(root: str, name: str) -> None:
    """Print a file, or why it cannot be read."""
    print("-- %s" % name)
    try:
        with open(root + name, encoding="utf-8") as handle:
            print("".join("   " + line for line in handle.readlines()), end="")
    except OSError as error:
        print("   %s" % error.strerror)


def put(root: str, name: str, text: str) -> None:
    """Write a file of the scratch root in one step."""
    path = root + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as handle:
        handle.write(text)
    os.replace(path + ".new", path)


def title(text: str) -> None:
    """Print a heading."""
    lines: List[str] = ["", "=== " + text]
    print("\n".join(lines), flush=True)
