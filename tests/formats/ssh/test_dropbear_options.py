"""dropbear's options, and where they come from (R8: mkj/dropbear#176, and its siblings)."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import pytest

from lightinit.formats.ssh import dropbear_keys, dropbear_options
from lightinit.formats.ssh.dropbear_options import DropbearOptions

DEBIAN = (
    "[Service]\nEnvironment=DROPBEAR_PORT=22 DROPBEAR_RECEIVE_WINDOW=65536\n"
    "EnvironmentFile=-/etc/default/dropbear\n"
    'ExecStart=/usr/sbin/dropbear -EF -p "$DROPBEAR_PORT" -W "$DROPBEAR_RECEIVE_WINDOW"'
    " $DROPBEAR_EXTRA_ARGS\n"
)


@pytest.mark.parametrize(
    "words, options",
    [
        ([], DropbearOptions()),
        (["-Fs", "-g"], DropbearOptions("Fsg")),
        (["-p", "10.0.0.4:22", "-p2222"], DropbearOptions(ports=("10.0.0.4:22", "2222"))),
        (["-sG", "ops", "-w"], DropbearOptions("sw", "ops")),
        (["-c", "-s", "-b", "-t"], DropbearOptions(command="-s")),
        (["-D/etc/keys", "stray", "-r"], DropbearOptions(keys_folder="/etc/keys")),
    ],
)
def test_the_letters(words: Sequence[str], options: DropbearOptions) -> None:
    assert dropbear_options.read_options(words) == options


def test_a_unit_with_its_variables() -> None:
    variables = dropbear_options.read_environment([DEBIAN])
    text = "#DROPBEAR_PORT=7\nDROPBEAR_EXTRA_ARGS=\"-s -g\"  # comment\nexport X='a b'\nno word\n"
    assert dropbear_options.read_variables(text) == {"DROPBEAR_EXTRA_ARGS": "-s -g", "X": "a b"}
    variables.update(dropbear_options.read_variables(text))
    words = dropbear_options.expand(dropbear_options.read_exec_start([DEBIAN]), variables)
    assert words == ["/usr/sbin/dropbear", "-EF", "-p", "22", "-W", "65536", "-s", "-g"]


def test_the_last_drop_in_counts() -> None:
    drop_in = "[Service]\nExecStart=\nExecStart=/usr/sbin/dropbear \\\n -F ${A} -p ${B}\n"
    words = dropbear_options.read_exec_start([DEBIAN, drop_in])
    assert dropbear_options.expand(words[1:], {"B": "2 2"}) == ["-F", "", "-p", "2 2"]
    assert dropbear_options.read_exec_start([]) == []
    assert dropbear_options.split_words("an 'open quote") == []


@pytest.mark.parametrize(
    "said, kind, part",
    [
        ("Dropbear v2022.83\n", "ssh-ed25519", ""),
        ("Dropbear v2022.83\n", "sk-ssh-ed25519@openssh.com", ""),
        ("Dropbear v2020.81\n", "sk-ssh-ed25519@openssh.com", "2020.81 knows no sk-"),
        ("Dropbear server v2019.78 https://", "ssh-ed25519", "2019.78 knows no ssh-ed25519"),
        ("Dropbear server v0.52", "ssh-rsa", ""),
        ("sh: not found", "ssh-ed25519", ""),
    ],
)
def test_types_of_keys(said: str, kind: str, part: str) -> None:
    why = dropbear_options.refuse_key(kind, dropbear_options.read_version(said))
    assert part in why and bool(part) == bool(why)


@pytest.mark.parametrize(
    "ports, addresses, shut",
    [
        ((), ["10.0.0.4"], False),
        (("22",), ["10.0.0.4"], False),
        (("127.0.0.1:22",), ["10.0.0.4"], True),
        (("127.0.0.1:22", "10.0.0.4:22"), ["10.0.0.4"], False),
        (("[::]:22",), ["10.0.0.4"], False),
        (("127.0.0.1:22",), [], False),
    ],
)
def test_where_it_listens(ports: Tuple[str, ...], addresses: List[str], shut: bool) -> None:
    assert bool(dropbear_options.find_unreached(ports, addresses)) == shut


VARIABLES = "PORT=22\nDROPBEAR_ARGS='-g'\nUNREAD=-w\n"


@pytest.mark.parametrize(
    "script, options",
    [
        ("dropbear $DROPBEAR_ARGS", DropbearOptions("g")),
        ("exec /usr/sbin/dropbear -F -p $PORT -s $OTHER 2>&1", DropbearOptions("Fs")),
        (
            "  start) x=1; dropbear -R -r /k/a $DROPBEAR_ARGS ;;",
            DropbearOptions("Rg", host_keys=("/k/a",)),
        ),
        (
            "start-stop-daemon -S -p /run/d.pid --exec /usr/sbin/dropbear -- -p 2222 \\\n -w",
            DropbearOptions("w", ports=("2222",)),
        ),
        ("start-stop-daemon -K -x /usr/sbin/dropbear -p /run/d.pid", DropbearOptions()),
        ("# dropbear -s\necho dropbear -s\ndropbearkey -t rsa -f /k/b", DropbearOptions()),
    ],
)
def test_a_script_with_its_variables(script: str, options: DropbearOptions) -> None:
    text = "#!/bin/sh\n%s\n" % script
    assert dropbear_options.read_started([], [text], [VARIABLES]) == options


def test_openwrts_configuration() -> None:
    text = (
        "config dropbear main\n\toption enable '0'\n\toption PasswordAuth 'off'\n"
        "config dropbear\n\toption PasswordAuth 'on'\n\toption RootPasswordAuth '0'\n"
        "\toption Port '2222'\n\toption RootLogin off\n\tlist keyfile /k/z\n"
        "\toption keyfile /k/a\nconfig other\n"
    )
    started = dropbear_options.read_started([], [], [], text)
    assert started == DropbearOptions("gw", ports=("2222",), host_keys=("/k/a",))
    assert dropbear_options.read_uci("option Port '1'\n") == []


def test_a_unit_that_names_its_key() -> None:
    """Yocto's, which systemd starts for each connection."""
    unit = (
        "[Service]\nEnvironment=DROPBEAR_RSAKEY_DIR=/etc/dropbear\n"
        "ExecStart=-/usr/sbin/dropbear -i -r ${DROPBEAR_RSAKEY_DIR}/dropbear_rsa_host_key $ARGS\n"
    )
    options = dropbear_options.read_started([unit], [], ["ARGS=-s\n"])
    place = "/etc/dropbear/dropbear_rsa_host_key"
    assert options == DropbearOptions("is", host_keys=(place,))
    assert dropbear_keys.list_places(options, [unit]) == [place]


@pytest.mark.parametrize(
    "text, more",
    [
        ("KEY=${KEY:-/k/my_host_key}", ["/k/my_host_key"]),
        ('[ -f "/k/hostkey" ] || dropbearkey -t rsa -f /k/hostkey', ["/k/hostkey"]),
        ('-r "$A"/k/my_host_key -r $A/k/my_host_key -r /host_key', []),
        ("# /k/my_host_key\nrm /k/my_host_key.pub x/k_host_key", []),
    ],
)
def test_places_that_a_script_names(text: str, more: List[str]) -> None:
    found = dropbear_keys.list_places(DropbearOptions(), [text])
    assert found == more + list(dropbear_keys.DEFAULTS)


@pytest.mark.parametrize(
    "path, data, kind",
    [
        ("/k/a_rsa_host_key", b"", "rsa"),
        ("/k/a_rsa_host_key", b"\0\0\0\x13ecdsa-sha2-nistp384", "ecdsa"),
        ("/rsa/key", b"junk", "ed25519"),
        ("/k/dropbear_dss_host_key", b"", "dss"),
    ],
)
def test_the_type_of_a_key(path: str, data: bytes, kind: str) -> None:
    assert dropbear_keys.find_type(path, data) == kind
