"""A machine without python3-yaml: the error names the package."""

from __future__ import annotations

import subprocess
import sys

from tests.lib.scratch import HERE

# Without site-packages there is no PyYAML.
ASK = """
from lightinit.errors import LibraryError
from lightinit.formats.cloud_config import document
try:
    document.read(b"a: 1")
except LibraryError as error:
    print(error)
"""


def test_the_error_names_the_package() -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.append(%r)\n%s" % (HERE, ASK)],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert ended.stdout.decode() == (
        "python library is missing (library=yaml); install the package python3-yaml"
        " (py3-yaml, python-yaml or pyyaml elsewhere)\n"
    )
