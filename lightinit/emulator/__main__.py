"""``python3 -m lightinit.emulator`` is the same command as ``lightinit-emulator``."""

import sys

from lightinit.emulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
