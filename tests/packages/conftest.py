"""The tests with real packages take minutes and build roots of distributions, so `make
test-packages` asks for them, and `make test-packages-all` for those of the newer release and of the
recipes for other distributions. The others are in `make test`, and not asked for again.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent
REST = [path.name for path in HERE.glob("test_*.py") if not path.name.startswith("test_real_")]
LEFT_OUT = {"": ["test_real_*.py"], "1": ["test_real_recipes.py", *REST], "all": []}
collect_ignore_glob = LEFT_OUT[os.environ.get("LIGHTINIT_PACKAGES", "")]
