"""The tests with real packages take minutes and build roots of distributions, so `make
test-packages` asks for them, and `make test-packages-all` for those of the newer release and of the
recipes for other distributions.
"""

import os

LEFT_OUT = {"": ["test_real_*.py"], "1": ["test_real_recipes.py"], "all": []}
collect_ignore_glob = LEFT_OUT[os.environ.get("LIGHTINIT_PACKAGES", "")]
