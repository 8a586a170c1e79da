"""Runs lightinit and counts the processes, sockets and files that it opens, by audit events.

The last line of the output is JSON with the counts and the peak memory.

Usage: counted.py ARGUMENTS-OF-LIGHTINIT
"""

import json
import os
import sys

counts = {"subprocesses": 0, "sockets": 0, "connections": 0, "files_written": 0}


def hook(event: str, arguments: object) -> None:
    """Count one event."""
    if event == "subprocess.Popen":
        counts["subprocesses"] += 1
    elif event == "socket.__new__":
        counts["sockets"] += 1
    elif event == "socket.connect":
        counts["connections"] += 1
    elif event == "os.rename":
        counts["files_written"] += 1


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.addaudithook(hook)
    from lightinit.cli import main

    code = main(sys.argv[1:])
    with open("/proc/self/status", encoding="ascii") as handle:
        counts["peak_kib"] = int(handle.read().split("VmHWM:")[1].split()[0])
    print(json.dumps(counts))
    sys.exit(code)
