"""Writing apt's files, in a directory. tests/real_tools asks the real apt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.errors import ProvisioningError, TransientError
from lightinit.formats.cloud_config.readers.sources.apt import GivenKey, read_apt
from lightinit.formats.packages.openpgp import dearmour
from lightinit.host.network.download import Downloader
from lightinit.host.system import System
from lightinit.package_sources.apt import AptFiles
from lightinit.package_sources.keys import list_urls, read_key
from tests.lib.package_host import PackageHost
from tests.lib.pgp_key import FINGERPRINT, KEY

LIST = "/etc/apt/sources.list"
OWN = "/etc/apt/sources.list.d/debian.sources"
LINES = (
    "deb http://old/debian bookworm main\ndeb http://old-security bookworm-security main\n"
    "deb http://old/debian bookworm-updates main\n"
)
PARAGRAPHS = "Types: deb\nURIs: http://old/debian\nSuites: bookworm\nComponents: main\n"


def host(root: Path, text: str = LINES, path: str = LIST) -> System:
    system = System(str(root))
    system.write("/etc/os-release", b"ID=debian\nVERSION_CODENAME=bookworm\n")
    system.write(path, text.encode())
    return system


def write(system: System, downloader: Any = None, **values: Any) -> List[str]:
    given, mistakes = read_apt({"apt": values})
    assert not mistakes
    files = AptFiles(system, downloader)
    files.write(given)
    return files.warnings


class Server(Downloader):
    """A key server of the test's."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def get(self, url: str, timeout_s: float, limit_bytes: int) -> bytes:
        self.asked.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)


def test_sources_with_variables(tmp_path: Path) -> None:
    system = host(tmp_path)
    sources: Dict[str, Any] = {
        "own": {"source": "deb [signed-by=$KEY_FILE] https://o $RELEASE main", "key": KEY},
        "trusted": {"source": "deb $MIRROR $RELEASE-backports main", "key": KEY},
        "security.list": {"source": "deb $SECURITY x main", "filename": "other.list"},
        "only-key": {"key": KEY},
    }
    for _ in range(2):  # as after a power cut
        assert write(system, sources=sources) == []
        folder = "/etc/apt/sources.list.d/"
        assert system.list_dir(folder) == ["other.list", "own.list", "trusted.list"]
        assert system.read_text(folder + "own.list") == (
            "deb [signed-by=/etc/apt/keyrings/own.gpg] https://o bookworm main\n"
        )
        assert system.read_text(folder + "trusted.list") == (
            "deb http://old/debian bookworm-backports main\n"
        )
        assert system.read_text(folder + "other.list") == "deb http://old-security x main\n"
    assert system.read("/etc/apt/keyrings/own.gpg") == dearmour(KEY)
    assert system.list_dir("/etc/apt/trusted.gpg.d") == ["only-key.gpg", "trusted.gpg"]


def test_a_source_is_added_to_a_file_or_replaces_it(tmp_path: Path) -> None:
    system = host(tmp_path)
    system.write("/etc/apt/sources.list.d/a.list", b"deb http://1 a b")
    line = "deb http://2 a b"
    assert write(system, sources={"a": {"source": line}}) == []
    assert system.read_text("/etc/apt/sources.list.d/a.list") == "deb http://1 a b\n%s\n" % line
    assert write(system, sources={"a": {"source": line, "append": False}}) == []
    assert system.read_text("/etc/apt/sources.list.d/a.list") == line + "\n"


def test_mirrors_and_suites(tmp_path: Path) -> None:
    mirror: Any = {
        "primary": [{"arches": ["default"], "uri": "http://m/d"}, {"arches": ["s390x"]}],
        "disable_suites": ["updates"],
    }
    system = host(tmp_path / "a")
    assert write(system, **mirror) == []
    assert system.read_text(LIST) == (
        "deb http://m/d bookworm main\ndeb http://m/d bookworm-security main\n"
        "# suite disabled: deb http://m/d bookworm-updates main\n"
    )
    system = host(tmp_path / "b", PARAGRAPHS, OWN)
    assert write(system, **mirror) == []
    assert system.read_text(OWN) == PARAGRAPHS.replace("http://old/debian", "http://m/d")
    system = host(tmp_path / "c")
    assert write(system, preserve_sources_list=True, **mirror) == []
    assert system.read_text(LIST) == LINES


def test_a_list_replaces_the_distributions_own_in_either_form(tmp_path: Path) -> None:
    system = host(tmp_path, PARAGRAPHS, OWN)
    assert write(system, sources_list="deb $MIRROR $RELEASE main\ndeb $PRIMARY sid x") == []
    wanted = "deb http://old/debian bookworm main\ndeb http://old/debian sid x\n"
    assert system.read_text(LIST) == wanted
    assert system.read_text(OWN) == "# The sources are in %s, as a cloud-config says\n" % LIST
    assert write(system, sources_list=PARAGRAPHS.replace("old", "new")) == []
    assert system.read_text(OWN) == PARAGRAPHS.replace("old", "new")
    assert system.read_text(LIST).startswith("# The sources are in " + OWN)


def test_configuration(tmp_path: Path) -> None:
    system = host(tmp_path)
    values = {"conf": 'A "b";', "http_proxy": "http://p:1", "https_proxy": "DIRECT"}
    given, _ = read_apt({"apt": values, "apt_pipelining": "2"})
    files = AptFiles(system)
    files.write(given)
    folder = "/etc/apt/apt.conf.d/"
    assert files.warnings == [] and {
        name: system.read_text(folder + name) for name in system.list_dir(folder)
    } == {
        "94lightinit-config": 'A "b";\n',
        "90lightinit-proxy": 'Acquire::http::Proxy "http://p:1";\n'
        'Acquire::https::Proxy "DIRECT";\n',
        "90lightinit-pipelining": 'Acquire::http::Pipeline-Depth "2";\n',
    }


@pytest.mark.parametrize(
    "values, says",
    [
        ({"sources": {"a": {"source": "deb http://a b"}}}, "apt would refuse its line 1"),
        ({"sources": {"a": {"source": "deb [x=$KEY_FILE] a b c"}}}, "nobody knows $KEY_FILE"),
        ({"sources": {"a": {"key": "x"}}}, "the key of a is not trusted: not an OpenPGP key"),
        ({"sources_list": "deb http://a\n"}, "sources_list is not written: apt would refuse"),
    ],
)
def test_what_would_break_apt_is_told(tmp_path: Path, values: Any, says: str) -> None:
    system = host(tmp_path)
    assert says in write(system, **values)[0]
    assert system.read_text(LIST) == LINES


def test_without_apt_nothing_is_written(tmp_path: Path) -> None:
    assert write(System(str(tmp_path)), conf="x") == ["apt has no effect: apt is not here"]
    assert System(str(tmp_path)).list_dir("/") == []


def test_what_apt_refuses_is_put_back(tmp_path: Path) -> None:
    """The file that apt does not read goes; the others stay."""
    system = PackageHost(tmp_path)
    system.write(LIST, LINES.encode())
    system.put(
        "apt-get",
        "grep -rq bad ${said%/*}/etc/apt || exit 0\necho E: Malformed entry 1 >&2\nexit 100\n",
    )
    system.put("apt-config", "! grep -rq '{' ${said%/*}/etc/apt || exit 100\n")
    sources = {"a": {"source": "deb http://good b c"}, "b": {"source": "deb http://bad b c"}}
    warnings = write(system, sources=sources, conf="A {", proxy="http://p")
    assert [each.partition(":")[0] for each in warnings] == [
        "/etc/apt/apt.conf.d/94lightinit-config is not changed, since apt cannot read its"
        " configuration",
        "/etc/apt/sources.list.d/b.list is not changed, since apt cannot read its sources",
    ]
    assert "Malformed entry" in warnings[1]
    assert system.list_dir("/etc/apt/sources.list.d") == ["a.list"]
    assert system.list_dir("/etc/apt/apt.conf.d") == ["90lightinit-proxy"]


def test_debconf(tmp_path: Path) -> None:
    system = PackageHost(tmp_path)
    system.write(LIST, b"")
    answers = {"a": "a a/q string geheim"}
    assert "debconf is not here" in write(system, debconf_selections=answers)[0]
    system.put("debconf-set-selections", 'cat >>"$said"\n')
    assert write(system, debconf_selections=answers) == []
    assert system.called[1:] == ["a a/q string geheim"]
    system.put("debconf-set-selections", "cat; exit 1\n")
    (warning,) = write(system, debconf_selections=answers)
    assert warning == "debconf_selections could not be set: command failed"


# -- keys of a server
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server, urls",
    [
        ("k.org", ["https://k.org", "http://k.org:11371"]),
        ("hkps://k.org/", ["https://k.org"]),
        ("hkp://k.org", ["http://k.org:11371"]),
        ("hkp://k.org:80", ["http://k.org:80"]),
        ("https://k.org:8443", ["https://k.org:8443"]),
    ],
)
def test_key_servers(server: str, urls: List[str]) -> None:
    lookup = "/pks/lookup?op=get&options=mr&search=0xABCD1234"
    assert list_urls(GivenKey("", "0xabcd1234", server)) == [each + lookup for each in urls]


def test_a_key_of_a_server_has_the_wanted_fingerprint() -> None:
    wanted = GivenKey("", FINGERPRINT, "k.org")
    server = Server(TransientError("no answer"), KEY.encode())
    assert read_key(wanted, server) == (dearmour(KEY), [])
    assert len(server.asked) == 2
    data, warnings = read_key(wanted._replace(id=FINGERPRINT[-16:]), Server(KEY.encode()))
    assert data == dearmour(KEY) and "named by 16 of its fingerprint's 40 digits" in warnings[0]
    other = wanted._replace(id="0" * 40)
    with pytest.raises(ProvisioningError, match="key server gave another key"):
        read_key(other, Server(KEY.encode(), KEY.encode()))


def test_a_key_that_no_server_has_is_told(tmp_path: Path) -> None:
    system = PackageHost(tmp_path)
    system.write(LIST, b"")
    source = {"source": "deb [signed-by=$KEY_FILE] http://a b c", "keyid": FINGERPRINT}
    gone = ProvisioningError("download failed", status=404)
    warnings = write(system, Server(gone, gone), sources={"a": source})
    assert warnings[0].startswith("the key of a is not trusted: download failed")
    assert "nobody knows $KEY_FILE" in warnings[1]
