"""The tests with real packages take minutes and build roots of distributions, so `make
test-packages` asks for them.
"""

import os

collect_ignore_glob = [] if os.environ.get("LIGHTINIT_PACKAGES") == "1" else ["test_real_*.py"]
