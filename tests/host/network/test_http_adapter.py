"""What is loaded with requests, each time by a Python of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, List

from tests.lib.scratch import HERE

NEEDLESS = {"ssl", "_ssl", "OpenSSL", "chardet", "charset_normalizer", "certifi"}
NEEDLESS |= {"importlib.metadata"}
LOADS = """
import sys
sys.path[:0] = %r
from lightinit.host.network import http_adapter
%s
requests = http_adapter.load_requests()
print(*sys.modules)
%s
"""


def python(before: str = "", after: str = "", first: Any = None) -> List[str]:
    """Load requests in a new Python. Returns the names of all that is imported, and then the words
    that the code ``after`` prints.
    """
    path = [str(first), HERE] if first else [HERE]
    argv = [sys.executable, "-W", "error", "-c", LOADS % (path, before, after)]
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout.decode().split()


def test_what_plain_http_does_not_need_is_not_loaded() -> None:
    asks = (
        "print(requests.Request('GET', 'http://a/').prepare().url, requests.adapters.HTTPAdapter)"
    )
    said = python(after=asks)
    assert {"requests.adapters", "urllib3.connectionpool", "http://a/"} <= set(said)
    assert NEEDLESS & set(said) == set()


def test_who_imports_it_later_gets_the_whole_of_it() -> None:
    asks = "import hashlib, hmac, ssl; ssl.SSLContext, print(hashlib.new, hmac.new, *sys.modules)"
    said = python(after=asks)
    assert "_hashlib" in said and "ssl" in said


def test_code_of_others_in_the_process_gets_the_whole_of_requests() -> None:
    assert {"ssl", "requests"} <= set(python(before="http_adapter.share_with('site.module')"))
    registry = "from lightinit.registry import load_module\ntry: load_module('no.module')\n"
    assert "ssl" in python(before=registry + "except Exception: pass")
    sources = "from lightinit.datasources import load\ntry: load('no.module:It')\n"
    assert "ssl" in python(before=sources + "except Exception: pass")


def test_a_release_that_needs_all_gets_all(tmp_path: Any) -> None:
    package = tmp_path / "requests"
    package.mkdir()
    (package / "__init__.py").write_text("import ssl, hashlib, http.client\n")
    (package / "adapters.py").write_text(
        "import http.client\nprint('https', hasattr(http.client, 'HTTPSConnection'))\n"
    )
    said = python(first=tmp_path)
    assert said[:2] == ["https", "True"] and "ssl" in said
