"""The module write_files on scratch roots: what is written, whose it is, and where nothing is
written.
"""

from __future__ import annotations

import base64
import os
import stat
from typing import Any, Optional, Sequence, Tuple

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import InjectedFile, Instance, Outcome
from lightinit.modules import write_files, write_files_deferred

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="root is needed: files change owners"
)
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1500:1600::/home/app:/bin/sh\n",
    "/etc/group": "root:x:0:\napp:x:1600:\nweb:x:1700:\n",
}


def host(root: Any) -> System:
    os.chmod(str(root), 0o755)
    system = System(root)
    for name, text in ACCOUNTS.items():
        system.write(name, text.encode())
    return system


def apply(system: System, *lines: str) -> Outcome:
    return write_files.apply(Instance("id"), system, {"files": "\n".join(lines)})


def facts(system: System, name: str) -> Tuple[int, int, int]:
    found = os.lstat(system.root + name)
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def test_nothing_listed_is_nothing_done(tmp_path: Any) -> None:
    assert apply(host(tmp_path)).skipped


def test_the_platforms_files_come_first(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.write("/etc/shadow", b"root:*:\n")
    given = [
        ("/etc/motd", b"theirs\n"),
        ("/srv/key", b"\0k"),
        ("/etc/shadow", b""),
        ("/a/../b", b""),
    ]
    files = tuple(InjectedFile(path, base64.b64encode(data).decode()) for path, data in given)
    settings = {"files": "/etc/motd append text=ours"}
    with pytest.raises(ProvisioningError, match="place of a file is not safe.*/etc/shadow.*2|more"):
        write_files.apply(Instance("id", files=files), system, settings)
    assert system.read_text("/etc/motd") == "theirs\nours\n" and system.read("/srv/key") == b"\0k"
    assert facts(system, "/srv/key")[0] == 0o660 and system.read("/etc/shadow") == b"root:*:\n"
    assert not system.exists("/b")
    with pytest.raises(ProvisioningError, match="entry of a file is not valid .*is damaged"):
        write_files.apply(Instance("id", files=(InjectedFile("/x", "?"),)), system, {"files": ""})


def test_files_are_written_once(tmp_path: Any) -> None:
    system = host(tmp_path)
    lines = (
        "/etc/motd text=Hello",
        "/srv/deep/er/x mode=0600 base64=AAEC",
        "/etc/copy source=/etc/group",
    )
    assert apply(system, *lines) == Outcome("3 files, 3 of them written")
    assert system.read_text("/etc/motd") == "Hello\n" and system.read("/srv/deep/er/x") == b"\0\1\2"
    assert system.read_text("/etc/copy") == ACCOUNTS["/etc/group"]
    assert [facts(system, name)[0] for name in ("/etc/motd", "/srv/deep/er/x", "/srv/deep")] == [
        0o644,
        0o600,
        0o755,
    ]
    inode = os.stat(system.root + "/etc/motd").st_ino
    assert apply(system, *lines) == Outcome("3 files, 0 of them written")
    assert os.stat(system.root + "/etc/motd").st_ino == inode


@pytest.mark.parametrize("spoil", ["text", "mode"])
def test_what_differs_is_mended(tmp_path: Any, spoil: str) -> None:
    system = host(tmp_path)
    apply(system, "/etc/motd text=Hello")
    if spoil == "text":
        system.write("/etc/motd", b"Bye\n")
    else:
        os.chmod(system.root + "/etc/motd", 0o666)
    assert apply(system, "/etc/motd text=Hello").message == "1 files, 1 of them written"
    assert system.read_text("/etc/motd") == "Hello\n" and facts(system, "/etc/motd")[0] == 0o644


@needs_root
@pytest.mark.parametrize(
    "owner, ids",
    [
        ("app", (1500, 1600)),
        ("app:web", (1500, 1700)),
        ("root:web", (0, 1700)),
        ("0:0", (0, 0)),
        ("4242", (4242, 0)),
        ("4242:4343", (4242, 4343)),
    ],
)
def test_owners_are_those_of_the_root(tmp_path: Any, owner: str, ids: Tuple[int, int]) -> None:
    system = host(tmp_path)
    apply(system, "/srv/x owner=%s mode=4750 text=x" % owner)
    assert facts(system, "/srv/x") == (0o4750,) + ids
    assert facts(system, "/srv")[1:] == (0, 0), "folders that are made are root's"


@pytest.mark.parametrize("owner", ["nobody-here", "app:nobody-here"])
def test_an_owner_that_does_not_exist_is_told(tmp_path: Any, owner: str) -> None:
    system = host(tmp_path)
    with pytest.raises(ProvisioningError, match="owner of a file does not exist"):
        apply(system, "/srv/x owner=%s text=x" % owner)
    assert not system.exists("/srv")


def test_appending_adds_once_and_keeps_the_owner(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.write(
        "/etc/hosts", b"127.0.0.1 localhost", 0o640, 1500 if ROOT else 0, 1600 if ROOT else 0
    )
    before = facts(system, "/etc/hosts")
    for written in (1, 0):
        outcome = apply(system, r"/etc/hosts append text=10.0.0.1 a\n10.0.0.2 b")
        assert outcome.message == "1 files, %d of them written" % written
        assert system.read_text("/etc/hosts") == "127.0.0.1 localhost\n10.0.0.1 a\n10.0.0.2 b\n"
        assert facts(system, "/etc/hosts") == before
    apply(system, "/etc/hosts append text=0.0.1 a")
    assert system.read_text("/etc/hosts").endswith("2 b\n0.0.1 a\n"), (
        "a part of a line is not the line"
    )
    apply(system, "/etc/hosts append mode=0600 text=10.0.0.1 a")
    assert facts(system, "/etc/hosts")[0] == 0o600


@pytest.mark.parametrize(
    "before, content, after",
    [
        (
            b"10.1.0.5 db2\n",
            b"10.1.0.5 db",
            b"10.1.0.5 db2\n10.1.0.5 db",
        ),  # the beginning of a line is not the line
        (b"a\nb2\n", b"a\nb", b"a\nb2\na\nb"),
        (
            b"10.1.0.5 db\nx\n",
            b"10.1.0.5 db",
            b"10.1.0.5 db\nx\n",
        ),  # the whole line is, with or without its end
        (b"x\n10.1.0.5 db", b"10.1.0.5 db\n", b"x\n10.1.0.5 db"),
        (b"", b"x", b"x"),
        (b"x\n", b"", b"x\n"),
    ],
)
def test_appending_compares_whole_lines(
    tmp_path: Any, before: bytes, content: bytes, after: bytes
) -> None:
    """What is to be appended may come without a line end: only ``text=`` adds one."""
    system = host(tmp_path)
    system.write("/etc/hosts", before)
    for written in (int(after != before), 0):
        outcome = apply(system, "/etc/hosts append base64=" + base64.b64encode(content).decode())
        assert (system.read("/etc/hosts"), outcome.message) == (
            after,
            "1 files, %d of them written" % written,
        )


def test_appending_to_a_file_that_is_not_there_makes_it(tmp_path: Any) -> None:
    system = host(tmp_path)
    apply(system, "/etc/new append mode=0600 text=x")
    assert system.read_text("/etc/new") == "x\n" and facts(system, "/etc/new")[0] == 0o600


def test_a_link_of_roots_is_followed(tmp_path: Any) -> None:
    system = host(tmp_path)
    system.link("/etc/resolv.conf", "/run/resolv.conf")
    apply(system, "/etc/resolv.conf text=nameserver 10.0.0.1")
    assert (
        os.path.islink(system.root + "/etc/resolv.conf")
        and system.read("/run/resolv.conf") == b"nameserver 10.0.0.1\n"
    )


@needs_root
@pytest.mark.parametrize(
    "mode, owner",
    [
        (0o755, (1500, 1600)),
        (0o777, (0, 0)),
        (0o1777, (0, 0)),
        (0o775, (0, 1600)),
        (0o700, (1500, 0)),
    ],
)
@pytest.mark.parametrize(
    "entry",
    [
        "/home/app/x text=x",
        "/home/app/deep/x text=x",
        "/etc/x source=/home/app/secret",
        "/etc/link text=x",
        "/home/app/x append text=x",
    ],
)
def test_where_others_may_write_nothing_is_written(
    tmp_path: Any, mode: int, owner: Tuple[int, int], entry: str
) -> None:
    system = host(tmp_path)
    system.make_dir("/home/app")
    system.link("/etc/link", "/home/app/x")
    system.write("/home/app/secret", b"x")
    os.chown(system.root + "/home/app", *owner)
    os.chmod(system.root + "/home/app", mode)
    with pytest.raises(ProvisioningError, match="place of a file is not safe") as caught:
        apply(system, entry)
    assert "users other than root may change /home/app" in str(caught.value)
    assert os.listdir(system.root + "/home/app") == ["secret"] and not system.exists("/etc/x")


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o775, 0o2775])
def test_roots_own_group_may_write(tmp_path: Any, mode: int) -> None:
    system = host(tmp_path)
    system.make_dir("/usr/local")
    os.chmod(system.root + "/usr/local", mode)
    assert apply(system, "/usr/local/x text=x").message == "1 files, 1 of them written"


@pytest.mark.parametrize("what", ["directory", "fifo", "below a file"])
def test_what_is_no_file_stays(tmp_path: Any, what: str) -> None:
    system = host(tmp_path)
    path = "/etc/x"
    if what == "directory":
        system.make_dir("/etc/x")
    elif what == "fifo":
        os.mkfifo(system.root + "/etc/x")
    else:
        path = "/etc/passwd/x"
    with pytest.raises(ProvisioningError, match="place of a file is not safe") as caught:
        apply(system, "/etc/first text=x", path + " text=x")
    assert caught.value.details["entry"] == "2" and caught.value.details["path"] == path
    assert system.read_text("/etc/passwd") == ACCOUNTS["/etc/passwd"]


@pytest.mark.parametrize("source", ["/etc/missing", "/etc", "/etc/fifo"])
def test_a_source_that_cannot_be_read_is_told(tmp_path: Any, source: str) -> None:
    system = host(tmp_path)
    os.mkfifo(system.root + "/etc/fifo")
    with pytest.raises(ProvisioningError, match="file cannot be read") as caught:
        apply(system, "/etc/x source=" + source)
    assert caught.value.details["path"] == source and not system.exists("/etc/x")


def test_one_that_fails_keeps_no_other_from_being_written(tmp_path: Any, caplog: Any) -> None:
    system = host(tmp_path)
    with pytest.raises(ProvisioningError) as caught:
        apply(
            system,
            "/etc/a text=secret\\q",
            "/etc/b text=x",
            "relative text=secret",
            "/etc/c text=x",
        )
    assert (caught.value.reason, caught.value.details["entry"]) == (
        "entry of a file is not valid",
        "1 (/etc/a)",
    )
    assert caught.value.details["more"] == "entries that failed too, see the log: 1"
    assert "entry 3 failed too" in caplog.text and "secret" not in caplog.text + str(caught.value)
    assert system.read_text("/etc/b") == system.read_text("/etc/c") == "x\n" and not system.exists(
        "/etc/a"
    )


def test_of_owner_and_group_the_one_that_a_cloud_config_leaves_out_is_roots() -> None:
    """As in cloud-init: ``make peers``, the document 08."""
    given = ("mail", ":adm", "mail:adm", "", None)
    files = [{"path": "/a", "content": "", "owner": owner} for owner in given]
    entries = write_files.from_cloud_config({"write_files": files})["entries"]
    assert [(each.owner, each.group) for each in entries] == [
        ("mail", "0"),
        ("0", "adm"),
        ("mail", "adm"),
        ("", ""),
        ("", ""),
    ]


def test_what_a_cloud_config_appends_is_added_byte_for_byte_and_once(tmp_path: Any) -> None:
    """As in cloud-init: ``make peers``, the document 09. Lines that are there count, too."""
    files = [
        {"path": "/etc/image", "content": "}\n", "append": True},
        {"path": "/etc/new", "content": "a"},
        {"path": "/etc/new", "content": "b", "append": True},
        {"path": "/etc/image", "content": "}\n", "append": True},
    ]
    system = host(tmp_path)
    (tmp_path / "etc/image").write_text("a {\n}\nb {{")
    for _ in range(2):
        settings = dict(write_files.from_cloud_config({"write_files": files}), files="")
        write_files.apply(Instance("id"), system, settings)
        assert (tmp_path / "etc/image").read_text() == "a {\n}\nb {{}\n}\n"
        assert (tmp_path / "etc/new").read_text() == "ab"


def given(system: System, deferred: bool, *files: Any) -> Outcome:
    """Write files of a cloud-config."""
    module: Any = write_files_deferred if deferred else write_files
    values = module.from_cloud_config({"write_files": list(files)})
    outcome: Outcome = module.apply(Instance("id"), system, {"files": "", **values})
    return outcome


def test_what_is_deferred_is_written_late(tmp_path: Any) -> None:
    system = host(tmp_path)
    files = [{"path": "/a", "content": "a"}, {"path": "/b", "content": "b", "defer": True}]
    assert given(system, False, *files).message == "1 files, 1 of them written"
    assert system.exists("/a") and not system.exists("/b")
    assert given(system, True, *files).message == "1 files, 1 of them written"
    assert system.read_text("/b") == "b"
    assert given(system, True, files[0]).skipped


@needs_root
def test_a_cloud_config_may_put_a_file_into_a_home(tmp_path: Any) -> None:
    """With the folders on its way, which the user must be able to use."""
    system = host(tmp_path)
    system.make_dir("/home/app")
    os.chown(system.root + "/home/app", 1500, 1600)
    path = "/home/app/.config/tool/settings"
    mine = {"path": path, "content": "a = 1\n", "owner": "app:app", "permissions": "0600"}
    for message in ("1 files, 1 of them written", "1 files, 0 of them written"):
        assert given(system, False, mine).message == message
    assert facts(system, path) == (0o600, 1500, 1600) and system.read_text(path) == "a = 1\n"
    assert facts(system, "/home/app/.config/tool")[1:] == (1500, 1600)
    assert (
        given(system, False, dict(mine, content="b\n", append=True)).message[-12:] == "them written"
    )
    assert system.read_text(path) == "a = 1\nb\n"


@needs_root
@pytest.mark.parametrize("name", ["/home/app/link/x", "/home/app/passwd"])
def test_no_link_is_followed_in_a_home(tmp_path: Any, name: str) -> None:
    system = host(tmp_path)
    system.make_dir("/home/app")
    os.symlink("../../etc", system.root + "/home/app/link")
    os.symlink("/etc/passwd", system.root + "/home/app/passwd")
    os.chown(system.root + "/home/app", 1500, 1600)
    with pytest.raises(ProvisioningError, match="safe"):
        given(system, False, {"path": name, "content": "evil"})
    assert (
        not system.exists("/etc/x") and system.read_text("/etc/passwd") == ACCOUNTS["/etc/passwd"]
    )


@needs_root
def test_a_cloud_config_may_put_a_file_into_tmp(tmp_path: Any) -> None:
    """Scripts of runcmd are there often. A link that somebody has put there is not followed."""
    system = host(tmp_path)
    system.make_dir("/tmp", 0o1777)
    os.chmod(system.root + "/tmp", 0o1777)
    assert given(system, False, {"path": "/tmp/a.sh", "content": "#!/bin/sh\n"}).message
    assert system.read_text("/tmp/a.sh") == "#!/bin/sh\n"
    os.symlink("/etc/passwd", system.root + "/tmp/link")
    with pytest.raises(ProvisioningError, match="it is not a regular file"):
        given(system, False, {"path": "/tmp/link", "content": "evil"})
    assert system.read_text("/etc/passwd") == ACCOUNTS["/etc/passwd"]


@pytest.mark.parametrize("name", ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"])
@pytest.mark.parametrize("deferred", [False, True])
def test_a_cloud_config_does_not_replace_the_accounts(
    tmp_path: Any, name: str, deferred: bool
) -> None:
    """Nor by a link. Without them nobody could log in; the other files are written."""
    system = host(tmp_path)
    system.write(name, b"root:x:\n", 0o600)
    os.symlink("../" + name, system.root + "/etc/link")
    for path in (name, "/etc/../" + name, "/etc/link"):
        mine = {"path": path, "content": "x", "permissions": "0644", "defer": deferred}
        with pytest.raises(ProvisioningError, match="accounts of this host are in it"):
            given(system, deferred, mine, {"path": "/srv/a", "content": path, "defer": deferred})
        assert system.read_text(name) == "root:x:\n" and system.read_text("/srv/a") == path
    mine = {"path": name, "content": "app:x:\n", "append": True, "defer": deferred}
    assert given(system, deferred, mine).message == "1 files, 1 of them written"
    assert system.read_text(name) == "root:x:\napp:x:\n"
    assert facts(system, name)[0] == 0o600, "its hashes stay secret"


def test_a_cloud_config_makes_no_file_of_accounts(tmp_path: Any) -> None:
    system = host(tmp_path)
    for append in (False, True):
        with pytest.raises(ProvisioningError, match="accounts of this host are in it"):
            given(system, False, {"path": "/etc/shadow", "content": "x", "append": append})
    assert not system.exists("/etc/shadow")


class Checked(System):
    """Its visudo, doas and sshd refuse what has the word faulty in it."""

    def tool(self, name: str) -> Optional[str]:
        return name

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        with open(argv[-1], encoding="utf-8") as file:
            is_faulty = "faulty" in file.read()
        return Completed(int(is_faulty), "", "line 1: faulty" if is_faulty else "")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/sudoers",
        "/etc/sudoers.d/90-mine",
        "//etc/./sudoers.d/90-mine",
        "/etc/doas.conf",
        "/etc/doas.d/mine.conf",
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/10-mine.conf",
        "/etc/link",
    ],
)
def test_faulty_rules_and_configurations_of_sshd_are_not_written(tmp_path: Any, path: str) -> None:
    """With them nobody could log in or become root. The other files are written."""
    host(tmp_path)
    system = Checked(tmp_path)
    os.symlink("ssh/sshd_config", system.root + "/etc/link")
    mine = {"path": path, "content": "sound\n"}
    assert given(system, False, mine).message == "1 files, 1 of them written"
    for append in (False, True):
        other = {"path": "/srv/%s" % append, "content": "x"}
        with pytest.raises(ProvisioningError, match="found faulty .*line 1"):
            given(system, False, dict(mine, content="faulty\n", append=append), other)
        assert system.read_text(path) == "sound\n" and system.exists("/srv/%s" % append)
    with pytest.raises(ProvisioningError, match="only root could log in"):
        given(system, False, {"path": "/etc/nologin", "content": ""})
    switch, lines = "/etc/nsswitch.conf", "passwd: %s\nhosts: dns\n"
    for content, is_written in (("sss files", True), ("ldap # files", False), ("ldap", False)):
        entry = {"path": switch, "content": lines % content}
        if is_written:
            given(system, False, entry)
        else:
            with pytest.raises(ProvisioningError, match="does not name `files`"):
                given(system, False, entry)
    assert system.read_text(switch) == lines % "sss files"
    beside = {"path": "/etc/ssh/sshd_config.d/notes.txt", "content": "faulty"}
    assert given(system, False, beside).message == "1 files, 1 of them written"


@needs_root
@pytest.mark.parametrize("home, ids", [("/home/app", (1500, 1600)), ("/root", (0, 0))])
def test_keys_stay_in_a_file_of_keys(tmp_path: Any, home: str, ids: Tuple[int, int]) -> None:
    """The platform's are among them: nobody could log in without them."""
    system = host(tmp_path)
    for folder in (home, home + "/.ssh"):
        system.make_dir(folder, 0o700)
        os.chown(system.root + folder, *ids)
    path = home + "/.ssh/authorized_keys"
    system.write(path, b"theirs 1\nboth\n", 0o600, *ids)
    for _ in range(2):
        given(system, True, {"path": path, "content": "mine\nboth", "defer": True})
        assert system.read_text(path) == "mine\nboth\ntheirs 1\n"
        assert facts(system, path) == (0o600, *ids)
