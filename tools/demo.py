"""``make demo``: runs the whole pipeline on a platform that is played, in a scratch root, without
root. ``make demo ARGS="--platform nocloud"`` takes another platform than Azure.

The command is the one that a VM runs. Nothing outside the scratch directory is changed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

PLATFORMS = ("azure", "nocloud")


def main() -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", choices=PLATFORMS, default="azure", help="(azure)")
    options = parser.parse_args()
    importlib.import_module("tools.demos.shared").give_up_root()
    if importlib.import_module("tools.demos." + options.platform).show():
        print("\ndemo: failed, see above")
        return 1
    print("\ndemo: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
