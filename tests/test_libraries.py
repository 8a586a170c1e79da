"""Whatever a library raises when it is used, it becomes one error; signals and errors of
lightinit's own pass.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import pytest

from lightinit.errors import LibraryError, MalformedError
from lightinit.libraries import is_panic, sha256, use
from lightinit.pipeline import Stopped
from tests.lib.scratch import HERE


class PanicException(BaseException):
    """As pyo3 raises it."""


RAISED = [
    PanicException("called `Option::unwrap()` on a `None` value"),
    ImportError("libssl.so.3: cannot open shared object file"),
    SystemExit(1),
    MemoryError(),
    RuntimeError("OpenSSL 3's legacy provider failed to load"),
    AttributeError("module 'lib' has no attribute 'X509_V_FLAG_CB_ISSUER_CHECK'"),
    RecursionError(),
    GeneratorExit(),
]


def raiser(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize("error", RAISED, ids=repr)
def test_what_a_library_raises_when_it_is_used(error: BaseException) -> None:
    """N3."""
    with pytest.raises(LibraryError, match="python library does not work") as caught:
        use("cryptography", lambda: raiser(error))
    assert caught.value.details["error"] == type(error).__name__
    assert caught.value.details["library"] == "cryptography"
    assert is_panic(error) == isinstance(error, PanicException)


@pytest.mark.parametrize("error", [Stopped(143), KeyboardInterrupt(), MalformedError("odd")])
def test_what_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        use("cryptography", lambda: raiser(error))


# What a Python is that has no hash function of its own; and one that has.
TELLS = """
import sys
if %r:
    sys.modules.update(_sha2=None, _sha256=None)
from lightinit.libraries import sha256
print(sha256(b"abc").hexdigest(), "_hashlib" in sys.modules)
"""


@pytest.mark.parametrize("lacks", [False, True])
def test_sha256_takes_openssl_only_where_python_has_none(lacks: bool) -> None:
    argv = [sys.executable, "-c", TELLS % lacks]
    said = subprocess.run(argv, cwd=HERE, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert said.split() == [hashlib.sha256(b"abc").hexdigest(), str(lacks)]
    assert sha256(b"").digest() == hashlib.sha256(b"").digest()
