"""Whatever a library raises when it is used, it becomes one error; signals and errors of
lightinit's own pass.
"""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.errors import LibraryError, MalformedError
from lightinit.libraries import is_panic, use
from lightinit.pipeline import Stopped


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
