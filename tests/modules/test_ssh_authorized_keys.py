"""The module ssh_authorized_keys, on scratch roots."""

from __future__ import annotations

import base64
import os
import stat
import struct
import subprocess
from typing import Any, Optional, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Certificate, Instance, Outcome, SshKey, User
from lightinit.modules import ssh_authorized_keys
from tests.lib.bundles import CI, Desk, needs_openssl
from tests.lib.netns import find_tool

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="root is needed: files change owners"
)
UID = 4321 if ROOT else os.getuid()
SHADOW = "bob:*:19000:0:99999:7:::\n"
HASHED = SHADOW.replace("*", "$6$salt$hash")
KEYS = "/home/bob/.ssh/authorized_keys"


def key(number: int, comment: str = "") -> str:
    fields = (b"ssh-ed25519", bytes([number]) * 32)
    blob = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return ("ssh-ed25519 %s %s" % (base64.b64encode(blob).decode(), comment)).strip()


class Host:
    """A scratch root with the account bob, and the module run on it."""

    def __init__(self, root: Any) -> None:
        self.root = str(root)
        self.put(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/sh\nbob:x:%d:%d::/home/bob:/bin/sh\n" % (UID, UID),
        )
        self.put("/etc/group", "root:x:0:\nadmins:x:50:bob\nbob:x:%d:\n" % UID)
        self.put("/etc/shadow", SHADOW, 0o600)
        os.makedirs(self.root + "/home/bob", 0o700)
        self.give("/home/bob")

    def give(self, name: str) -> None:
        if ROOT:
            os.chown(self.root + name, UID, UID)

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        with open(self.root + name, "w", encoding="utf-8", newline="") as handle:
            handle.write(text)
        os.chmod(self.root + name, mode)

    def put_keys(self, text: str) -> None:
        self.put(KEYS, text, 0o600)
        os.chmod(self.root + "/home/bob/.ssh", 0o700)
        self.give("/home/bob/.ssh")
        self.give(KEYS)

    def get(self, name: str = KEYS) -> str:
        with open(self.root + name, encoding="utf-8", newline="") as handle:
            return handle.read()

    def apply(
        self, *keys: str, login: Optional[bool] = False, user: str = "bob", password: str = ""
    ) -> Outcome:
        given = tuple(SshKey(text, "/home/elsewhere/.ssh/authorized_keys") for text in keys)
        instance = Instance("id", admin=User(user, given, login, password))
        return ssh_authorized_keys.apply(instance, System(self.root), {})

    def fails(self, reason: str, *keys: str, **more: Any) -> ProvisioningError:
        with pytest.raises(ProvisioningError) as caught:
            self.apply(*keys, **more)
        assert caught.value.reason == reason
        return caught.value


def facts(path: str) -> Tuple[int, ...]:
    """What a change would show: reading the file changes none of it."""
    status = os.lstat(path)
    return (status.st_ino, status.st_mode, status.st_nlink, status.st_uid, status.st_mtime_ns)


@pytest.fixture
def host(tmp_path: Any) -> Host:
    return Host(tmp_path)


def test_keys_are_put_where_sshd_looks(host: Host) -> None:
    outcome = host.apply(key(1, "one"), key(2) + "\r\n" + key(3) + "\r\n")
    assert (outcome.message, outcome.warnings) == ("3 of 3 keys added to %s" % KEYS, ())
    assert host.get() == key(1, "one") + "\n" + key(2) + "\n" + key(3) + "\n"
    status = os.lstat(host.root + KEYS)
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (UID, 0o600)
    status = os.lstat(host.root + "/home/bob/.ssh")
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (UID, 0o700)
    assert not os.path.exists(host.root + "/home/elsewhere")


def test_what_is_there_stays(host: Host) -> None:
    there = '# mine\r\nfrom="10.0.0.1" %s\r\n\r\nrubbish' % key(1, "x")
    host.put_keys(there)
    outcome = host.apply(key(1), key(2))
    assert host.get() == there + "\r\n" + key(2) + "\r\n"
    assert outcome.message.startswith("1 of 2 keys added")
    assert "restricted by its options" in outcome.warnings[0] and "from" in outcome.warnings[0]


def test_a_second_run_writes_nothing(host: Host) -> None:
    host.apply(key(1))
    before = facts(host.root + KEYS)
    assert host.apply(key(1, "other comment")).message.startswith("0 of 1")
    assert facts(host.root + KEYS) == before


def test_keys_of_a_wrong_kind_are_refused_and_the_others_put_in_place(host: Host) -> None:
    outcome = host.apply("ssh-dss AAAA", key(1), "", "rubbish here")
    assert host.get() == key(1) + "\n"
    assert [warning.split(":")[0] for warning in outcome.warnings] == [
        "key 1 of 4 refused",
        "key 3 of 4 refused",
        "key 4 of 4 refused",
    ]


# -- ready means ready
# -------------------------------------------------------------------------------------------------


def test_no_usable_key_and_no_password_login_fails(host: Host) -> None:
    error = host.fails("none of the ssh keys can be used", "ssh-dss AAAA")
    assert "ssh-dss" in error.details["why"]
    host.fails("none of the ssh keys can be used", "ssh-dss AAAA", login=None)


@pytest.mark.parametrize("keys", [("ssh-dss AAAA",), ()])
def test_no_usable_key_but_a_password_is_enough(host: Host, keys: Any) -> None:
    host.put("/etc/shadow", HASHED, 0o600)
    outcome = host.apply(*keys, login=True)
    assert outcome.skipped and len(outcome.warnings) == len(keys)
    assert not os.path.lexists(host.root + "/home/bob/.ssh")


@pytest.mark.parametrize("login", [True, None])
def test_a_password_that_a_scratch_root_leaves_out_is_enough(
    host: Host, login: Optional[bool]
) -> None:
    assert host.apply(login=login, password="secret").skipped


@pytest.mark.parametrize(
    "shadow", [SHADOW, SHADOW.replace("*", "!$6$x$y"), SHADOW.replace("*", ""), ""]
)
@pytest.mark.parametrize("password", ["", "REDACTED", "*"])
def test_password_login_without_a_password_fails(host: Host, shadow: str, password: str) -> None:
    host.put("/etc/shadow", shadow, 0o600)
    error = host.fails("nobody could log in", login=True, password=password)
    assert "password login is on, but there is no password" in error.details["why"]
    assert "provisioning media" in error.details["hint"]
    host.fails("none of the ssh keys can be used", "ssh-dss AAAA", login=True, password=password)


def test_password_login_without_a_password_but_with_a_key_in_the_image(host: Host) -> None:
    host.put_keys(key(9) + "\n")
    assert "1 existing keys in %s can still log in" % KEYS in host.apply(login=True).warnings[0]


def test_a_password_is_of_no_use_where_the_login_with_it_is_off(host: Host) -> None:
    host.put("/etc/shadow", HASHED, 0o600)
    host.fails("nobody could log in", login=False, password="secret")


def test_a_usable_key_needs_no_password(host: Host) -> None:
    assert not host.apply(key(1), login=True).warnings


def test_what_keeps_the_admin_out_does_not_cost_the_key(host: Host) -> None:
    """R6: written first, judged afterwards by the login check."""
    host.put("/etc/shadow", "bob:$6$x$y:1:0:99999:7::2:\n", 0o600)
    host.put("/etc/ssh/sshd_config", "DenyUsers *\nPubkeyAuthentication no\n")
    assert host.apply(key(1)).warnings == ()
    assert host.get() == key(1) + "\n"


@pytest.mark.parametrize("login", [False, None])
def test_no_keys_and_no_password_login_fails(host: Host, login: Optional[bool]) -> None:
    host.fails("nobody could log in", login=login)


def test_no_keys_but_one_in_the_image_is_a_warning(host: Host) -> None:
    host.put_keys(key(9) + "\n")
    outcome = host.apply()
    assert "1 existing keys in %s can still log in" % KEYS in outcome.warnings[0]
    assert host.get() == key(9) + "\n"


def test_no_admin(host: Host) -> None:
    assert ssh_authorized_keys.apply(Instance("id"), System(host.root), {}).skipped


def test_no_account(host: Host) -> None:
    host.fails("user does not exist", key(1), user="eve")


def test_no_home(host: Host) -> None:
    os.rmdir(host.root + "/home/bob")
    host.fails("home directory is missing", key(1))


@pytest.mark.parametrize("name", ["root", "a:b", "../bob"])
def test_a_name_that_may_not_be_used(host: Host, name: str) -> None:
    host.fails("user name is not allowed", key(1), user=name)


def test_an_account_with_roots_id(host: Host) -> None:
    host.put("/etc/passwd", "toor:x:0:0::/home/bob:/bin/sh\n")
    host.fails("user name belongs to root", key(1), user="toor")


@pytest.mark.parametrize(
    "line, reason",
    [
        ("bob:x:{uid}:{uid}::/:/bin/sh", "home of the account cannot be used"),
        ("bob:x:{uid}:{uid}:::/bin/sh", "home of the account cannot be used"),
        ("bob:x:{uid}:{uid}::home/bob:/bin/sh", "home of the account cannot be used"),
        ("bob:x:{uid}:{uid}::/home/bob:/bin/zsh-missing", "shell of the account is missing"),
        ("bob:x:5:5::/srv/bob:/bin/sh", "user name belongs to a system account"),
        ("bob:x:4:4::/bin:/bin/sync", "user name belongs to an account that cannot log in"),
    ],
)
def test_an_account_that_cannot_be_the_admins_gets_no_key(
    host: Host, tmp_path: Any, line: str, reason: str
) -> None:
    host.put("/bin/sh", "", 0o755)
    host.put("/etc/passwd", line.format(uid=max(UID, 1000)) + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here = os.getcwd()
    os.chdir(str(elsewhere))
    try:
        host.fails(reason, key(1))
    finally:
        os.chdir(here)
    assert not [
        name
        for _, folders, names in os.walk(host.root)
        for name in folders + names
        if name.startswith(".ssh")
    ]


def test_the_lowest_user_id_is_the_hosts(host: Host) -> None:
    host.put("/etc/login.defs", "UID_MIN 50000000\n")
    host.apply(key(1))  # R10: its home is one of people's
    host.put("/etc/passwd", "bob:x:%d:%d::/srv/bob:/bin/sh\n" % (UID, UID))
    error = host.fails("user name belongs to a system account", key(1))
    assert error.details["uid_min"] == "50000000"


def test_a_long_passwd_is_read_to_its_end(host: Host) -> None:
    many = "".join(
        "u%d:x:%d:100::/home/u%d:/bin/sh\n" % (number, number, number)
        for number in range(100000, 150000)
    )
    host.put("/etc/passwd", many + host.get("/etc/passwd"))
    host.put("/etc/group", "# %s\n" % ("x" * 2000000) + host.get("/etc/group"))
    host.put("/etc/ssh/sshd_config", "Match Group admins\nAuthorizedKeysFile grouped\n")
    host.apply(key(1))
    assert host.get("/home/bob/grouped") == key(1) + "\n"


def test_a_passwd_that_cannot_be_read_is_told_by_its_path(host: Host) -> None:
    os.unlink(host.root + "/etc/passwd")
    os.mkdir(host.root + "/etc/passwd")
    assert host.fails("account file cannot be read", key(1)).details["path"] == "/etc/passwd"


def test_a_users_own_options_do_not_reach_the_console(host: Host) -> None:
    host.put_keys('\x1b[2J\x1b]0;pwn\x07%s="x" %s\n' % ("a" * 5000, key(1)))
    warning = host.apply(key(1)).warnings[0]
    assert warning.isprintable() and len(warning) < 200


# -- bad input
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["directory", "link", "dangling", "fifo", "hard link", "linked folder"]
)
def test_what_is_not_a_plain_file_is_refused_and_nothing_is_touched(host: Host, kind: str) -> None:
    folder = host.root + "/home/bob/.ssh"
    shadow = host.root + "/etc/shadow"
    if kind == "linked folder":
        os.symlink(host.root + "/etc", folder)
    else:
        os.mkdir(folder, 0o700)
        host.give("/home/bob/.ssh")
    path = host.root + KEYS
    if kind == "directory":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(shadow, path)
    elif kind == "dangling":
        os.symlink(host.root + "/etc/new", path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "hard link":
        os.link(shadow, path)
    before = facts(shadow)
    error = host.fails("file in a home is not safe to change", key(1))
    assert error.details["path"] == KEYS and error.details["why"]
    assert facts(shadow) == before and host.get("/etc/shadow") == SHADOW
    assert not os.path.lexists(host.root + "/etc/new") and not os.path.lexists(
        host.root + "/etc/authorized_keys"
    )


# -- which file
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config, path",
    [
        ("", KEYS),
        ("AuthorizedKeysFile .keys/%u .ssh/authorized_keys\n", "/home/bob/.keys/bob"),
        ("AuthorizedKeysFile %h/./k\n", "/home/bob/k"),
        ("Include conf.d/*.conf\nAuthorizedKeysFile a\n", "/home/bob/included"),
        ("Match Group admins\nAuthorizedKeysFile grouped\n", "/home/bob/grouped"),
        ("Match Group bob\nAuthorizedKeysFile primary\n", "/home/bob/primary"),
    ],
)
def test_the_file_that_the_configuration_names(host: Host, config: str, path: str) -> None:
    host.put("/etc/ssh/sshd_config", config)
    host.put("/etc/ssh/conf.d/1.conf", "AuthorizedKeysFile included\n")
    assert not host.apply(key(1)).warnings
    assert host.get(path) == key(1) + "\n"


def test_another_place_for_the_configuration(host: Host) -> None:
    host.put("/usr/etc/ssh/sshd_config", "AuthorizedKeysFile k\n")
    host.apply(key(1))
    assert host.get("/home/bob/k")


def test_a_condition_that_cannot_be_known_is_said(host: Host) -> None:
    host.put("/etc/ssh/sshd_config", "Match Address 10.0.0.0/8\nAuthorizedKeysFile k\n")
    assert "Match Address 10.0.0.0/8" in host.apply(key(1)).warnings[0]
    assert host.get(KEYS)


def test_a_file_outside_the_home_is_roots_and_readable(host: Host) -> None:
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile /etc/ssh/keys/%u\n")
    host.apply(key(1))
    status = os.lstat(host.root + "/etc/ssh/keys/bob")
    assert status.st_uid == os.geteuid()
    assert stat.S_IMODE(status.st_mode) == (0o644 if ROOT else 0o600)
    assert host.apply(key(1)).message.startswith("0 of 1")


@needs_root
def test_a_file_outside_the_home_where_others_may_write_is_refused(host: Host) -> None:
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile /srv/keys/%u\n")
    os.makedirs(host.root + "/srv/keys")
    os.chmod(host.root + "/srv/keys", 0o777)
    error = host.fails("file in a home is not safe to change", key(1))
    assert "others may write to it" in error.details["why"]


def test_sshd_that_reads_no_keys(host: Host) -> None:
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile none\n")
    host.fails("sshd is set to read no authorized keys", key(1))
    host.fails("sshd is set to read no authorized keys", key(1), login=True)
    host.put("/etc/shadow", HASHED, 0o600)
    assert "AuthorizedKeysFile" in host.apply(key(1), login=True).warnings[0]


SHARED = "/etc/ssh/authorized_keys"


@pytest.mark.parametrize(
    "config, path",
    [
        ("AuthorizedKeysFile %s .ssh/authorized_keys\n" % SHARED, KEYS),
        ("AuthorizedKeysFile /etc/ssh/%%u " + SHARED + " %h/k\n", "/home/bob/k"),
        ("AuthorizedKeysFile /etc/ssh/%%u /etc/ssh/k-%U\n", "/etc/ssh/k-%d" % UID),
        ("Match User bob\nAuthorizedKeysFile /etc/ssh/bobs\n", "/etc/ssh/bobs"),
        ("Match User bob Address 10.0.0.0/8\nX11Forwarding no\n", KEYS),
    ],
)
def test_a_key_goes_into_a_file_that_is_the_users_alone(host: Host, config: str, path: str) -> None:
    """R5: canonical/cloud-init#937, #956"""
    host.put(SHARED, "# for all\n")
    host.put("/etc/ssh/sshd_config", config)
    host.apply(key(1))
    assert host.get(path) == key(1) + "\n"
    assert host.get(SHARED) == "# for all\n" and not os.path.exists(host.root + "/etc/ssh/%u")


@pytest.mark.parametrize(
    "config",
    [
        "AuthorizedKeysFile %s\n" % SHARED,
        "Match User b*\nAuthorizedKeysFile %s\n" % SHARED,
        "Match Group admins\nAuthorizedKeysFile %s\n" % SHARED,
        "Match User bob,root\nAuthorizedKeysFile %s\n" % SHARED,
        "AuthorizedKeysFile /etc/ssh/%%u\n",
    ],
)
def test_a_file_of_several_accounts_is_not_written(host: Host, config: str) -> None:
    """R5: canonical/cloud-init#937, #956"""
    host.put("/etc/ssh/sshd_config", config)
    host.fails("authorized keys are read from a shared file only", key(1))
    assert not os.path.exists(host.root + SHARED)
    host.put("/etc/shadow", HASHED, 0o600)
    assert "shared file" in host.apply(key(1), login=True).warnings[0]


@pytest.mark.parametrize(
    "config, path",
    [
        ('AuthorizedKeysFile "/etc/ssh/my keys/%u"\n', "/etc/ssh/my keys/bob"),
        ("AuthorizedKeysFile /etc/ssh/%%/%u\n", "/etc/ssh/%/bob"),
        ("AuthorizedKeysFile /home/%u/.ssh/authorized_keys\n", KEYS),
        ("AuthorizedKeysFile none .ssh/authorized_keys\n", KEYS),
        ("AuthorizedKeysFile /root/.ssh/authorized_keys %h/.ssh/authorized_keys\n", KEYS),
    ],
)
def test_tokens_and_quotes_are_sshds(host: Host, config: str, path: str) -> None:
    """R5, siblings"""
    host.put("/etc/ssh/sshd_config", config)
    assert host.apply(key(1)).warnings == ()
    assert host.get(path) == key(1) + "\n"


@pytest.mark.parametrize("entry", ["/etc/ssh/%k/%u", "%C", "/etc/ssh/%%%i", "/etc/ssh/%u%"])
def test_a_token_that_sshd_does_not_know_ends_the_list(host: Host, entry: str) -> None:
    """R5, siblings: sshd's percent_expand() ends the process there."""
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile .ssh/authorized_keys %s\n" % entry)
    outcome = host.apply(key(1))
    assert host.get() == key(1) + "\n"
    assert outcome.warnings == (
        "sshd ends each login that comes to %s: AuthorizedKeysFile has no such token" % entry,
    )
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile %s .ssh/authorized_keys\n" % entry)
    host.fails("sshd is set to read no authorized keys", key(2))


@pytest.mark.parametrize("home", ["/root", "/root/", "/srv/link", "/home/eve"])
@pytest.mark.parametrize(
    "config",
    ["", "AuthorizedKeysFile %h/.ssh/authorized_keys\n", "AuthorizedKeysFile .ssh/%u keys\n"],
)
def test_a_home_of_somebody_else_has_no_file_of_the_user(
    host: Host, home: str, config: str
) -> None:
    """R5, siblings: a key there would open root, too."""
    for folder in ("/root", "/srv", "/home/eve"):
        os.makedirs(host.root + folder)
    os.symlink("../root", host.root + "/srv/link")
    host.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nbob:x:%d:%d::%s:/bin/sh\neve:x:77:77::/home/eve:/bin/sh\n"
        % (UID, UID, home),
    )
    host.put("/etc/ssh/sshd_config", config)
    host.fails("authorized keys are read from a shared file only", key(1))
    assert [os.listdir(host.root + folder) for folder in ("/root", "/home/eve")] == [[], []]
    host.put("/etc/ssh/sshd_config", config + "AuthorizedKeysFile /etc/ssh/keys/%u\n")
    if not config:
        host.apply(key(1))
        assert host.get("/etc/ssh/keys/bob") == key(1) + "\n"


def test_a_match_that_names_roots_own_file(host: Host) -> None:
    """R5, siblings: sshd reads that file for root without a line about it."""
    host.put(
        "/etc/ssh/sshd_config", "Match User bob\nAuthorizedKeysFile /root/.ssh/authorized_keys\n"
    )
    host.fails("authorized keys are read from a shared file only", key(1))
    assert not os.path.exists(host.root + "/root/.ssh")


@needs_root
def test_a_home_that_others_use_too_but_do_not_own(host: Host) -> None:
    """R5, siblings: sshd lets nobody else in by a file in the user's own directory."""
    host.put(
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nbob:x:%d:%d::/home/bob:/bin/sh\n"
        "backup:x:77:77::/home/bob:/usr/sbin/nologin\n" % (UID, UID),
    )
    host.apply(key(1))
    assert host.get() == key(1) + "\n"


@needs_root
@pytest.mark.parametrize(
    "mode, inside, after",
    [
        (0o700, "", 0o711),
        (0o750, "# a note\n%s\n" % key(9), 0o751),
        (0o700, "a secret", 0o700),
        (0o755, "", 0o755),
    ],
)
def test_a_folder_of_roots_is_opened_where_that_is_harmless(
    host: Host, mode: int, inside: str, after: int
) -> None:
    """R4: canonical/cloud-init#3417"""
    host.put("/etc/ssh/sshd_config", "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n")
    host.put("/etc/ssh/keys/eve", inside)
    os.chmod(host.root + "/etc/ssh/keys", mode)
    host.apply(key(1))
    assert stat.S_IMODE(os.stat(host.root + "/etc/ssh/keys").st_mode) == after
    assert host.get("/etc/ssh/keys/bob") == key(1) + "\n"
    assert os.path.exists(host.root + KEYS) == (after == 0o700), "the next one, where it is not"


# -- keys by fingerprint
# -----------------------------------------------------------------------------------------------


needs_ssh_keygen = pytest.mark.skipif(
    not CI and find_tool("ssh-keygen") is None, reason="not installed here: ssh-keygen"
)


def apply_fingerprints(host: Host, known: Tuple[Certificate, ...], *given: SshKey) -> Outcome:
    instance = Instance("id", admin=User("bob", given, False), certificates=known)
    return ssh_authorized_keys.apply(instance, System(host.root), {})


@needs_openssl
@needs_ssh_keygen
@pytest.mark.parametrize(
    "write",
    [str, str.lower, lambda text: ":".join(text[at : at + 2] for at in range(0, 40, 2))],
    ids=["plain", "lower", "colons"],
)
def test_a_fingerprint_names_a_certificate(host: Host, tmp_path: Any, write: Any) -> None:
    desk = Desk(tmp_path)
    desk.make_pair("one", "rsa:2048")
    desk.make_pair("two")
    known = (desk.expected("two", with_key=False), desk.expected("one", with_key=False))
    outcome = apply_fingerprints(host, known, SshKey("", "/x", write(known[1].thumbprint)))
    os.chmod(desk.at("one.key"), 0o600)
    expected = subprocess.run(
        ["ssh-keygen", "-y", "-f", desk.at("one.key")], check=True, stdout=subprocess.PIPE
    ).stdout
    assert outcome.warnings == () and host.get().split()[:2] == expected.decode().split()[:2]
    assert host.get().count("\n") == 1


def test_a_fingerprint_that_nobody_knows(host: Host) -> None:
    outcome = apply_fingerprints(host, (), SshKey(key(1)), SshKey("", "/x", "AB\x1b" * 20))
    assert len(outcome.warnings) == 1 and outcome.warnings[0].startswith(
        "key 2 of 2 refused: certificate of the ssh key is unknown (fingerprint='AB\\x1bAB"
    )
    assert host.get() == key(1) + "\n"
    with pytest.raises(
        ProvisioningError,
        match="none of the ssh keys can be used .*certificate of the ssh key is unknown",
    ):
        apply_fingerprints(host, (Certificate("CD" * 20, "x"),), SshKey("", "/x", "AB" * 20))


def test_the_text_of_a_key_counts_before_its_fingerprint(host: Host) -> None:
    apply_fingerprints(host, (Certificate("AB" * 20, key(2)),), SshKey(key(1), "/x", "AB" * 20))
    assert host.get() == key(1) + "\n"


@needs_openssl
def test_a_certificate_that_cannot_be_read_costs_no_good_key(tmp_path: Any) -> None:
    """N6: an x509 certificate of version 6, and other nonsense, beside a good key."""
    if not os.environ.get("CI"):
        pytest.importorskip("cryptography")
    desk = Desk(tmp_path)
    desk.make_pair("one", "rsa:2048")
    pem = desk.expected("one", with_key=False).certificate
    data = base64.b64decode("".join(pem.split("-----")[2].split()))
    sixth = data.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)
    assert sixth != data
    form = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    bad = [form % base64.b64encode(each).decode() for each in (sixth, data[:-9], b"\x30\x80")]
    host = Host(tmp_path / "root")
    outcome = host.apply(*bad[:2], key(1), bad[2], base64.b64encode(sixth).decode())
    # The oldest cryptography reads version 6 too, and its key is taken: that costs nobody anything.
    assert host.get().endswith(key(1) + "\n")
    assert len(outcome.warnings) in (2, 4)
    assert all("refused: x509 certificate cannot be read" in each for each in outcome.warnings)
