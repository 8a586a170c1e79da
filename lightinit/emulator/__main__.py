"""Lets ``python3 -m lightinit.emulator`` do what ``lightinit-emulator`` does."""

import sys

from lightinit.emulator.cli import main

if __name__ == "__main__":
    sys.exit(main())
