"""Which of the admin's keys open the account by sshd: their types, their files, the way to them."""

from __future__ import annotations

import base64
from functools import partial
from typing import List, Set, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.ssh import authorized_keys, login_words
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.host.files.reach import Barrier, find_barrier
from lightinit.host.ssh.server import SshServer
from lightinit.host.system import System
from lightinit.login import key_files
from lightinit.login.answers import ask_once, states_of
from lightinit.login.question import Question
from lightinit.model import NamedTuple

KRL = b"SSHKRL\n"
PROBE = "/run/lightinit/revoked-probe.pub"


class Refusal(NamedTuple):
    """Why sshd refuses a login, and the key of the hint; "" if it does not."""

    why: str = ""
    kind: str = "word"


def usable_keys(
    question: Question, server: SshServer, effective: Effective, doubts: List[str]
) -> Tuple[int, Refusal]:
    """How many keys open the account, and why the others do not."""
    there, barrier = _keys_in_files(question, server, effective, doubts)
    if not question.keys and not there:
        return 0, Refusal("no ssh key", "key")
    accepted: Set[Tuple[str, bytes]] = set()
    refusal = Refusal()
    for key in question.keys:
        why = login_words.refuse_key(effective, key) or _find_revoked(question, effective, key)
        if why:
            refusal = Refusal(why, "key")
        elif (key.kind, key.blob) not in there:
            refusal = _not_there(question, effective, barrier, doubts)
            if not refusal.why:
                accepted.add((key.kind, key.blob))
        else:
            accepted.add((key.kind, key.blob))
            doubts += [each for each in (login_words.doubt_key(effective, key),) if each]
    if not question.keys:  # those of the image are all there is
        accepted |= there
    if accepted:
        path = _revoked_path(effective)
        if path and not question.system.exists(path):
            why = "RevokedKeys %s in sshd's configuration does not exist, so sshd refuses all keys"
            return 0, Refusal(why % path, "file")
    return len(accepted), refusal


def _not_there(
    question: Question, effective: Effective, barrier: Refusal, doubts: List[str]
) -> Refusal:
    """What follows if a key is in no file that sshd can read: no refusal if it may still count."""
    others = login_words.key_commands(effective)
    why = barrier.why or "its key is in none of the files that sshd reads (AuthorizedKeysFile)"
    if others or not question.keys_are_ours:
        doubts.append(
            "%s may not be able to log in: %s%s"
            % (question.who.user, why, "".join("; but there is " + each for each in others))
        )
        return Refusal()
    return Refusal(why, "file")


def _keys_in_files(
    question: Question, server: SshServer, effective: Effective, doubts: List[str]
) -> Tuple[Set[Tuple[str, bytes]], Refusal]:
    """(type, blob) of each key in the files that sshd reads, and why it cannot read the others."""
    system, account = question.system, question.account
    strict = effective.words("strictmodes", ["yes"]) == ["yes"]
    reader = key_files.find_reader(system, account)
    found: Set[Tuple[str, bytes]] = set()
    barriers: List[Barrier] = []
    for entry in key_files.list_entries(system, server, question.who, effective).entries:
        path = key_files.expand(account, entry)
        barrier = None
        if system.can_own:
            barrier = find_barrier(system, path, reader, account.home, strict)
        if barrier is not None:
            barriers.append(barrier)
        if barrier is None or not barrier.certain:
            try:
                data = system.read(path)
            except (OSError, MalformedError):
                continue
            found |= {(kind, blob) for _, kind, blob in authorized_keys.list_keys(data)}
    for barrier in barriers:
        why = "sshd cannot use %s: %s" % (barrier.path, barrier.why)
        if not barrier.certain:
            doubts.append(why + " (look at getfacl)")
        elif not barrier.missing:
            return found, Refusal(why, "file")
    return found, Refusal()


def _revoked_path(effective: Effective) -> str:
    """The list of the revoked keys; sshd refuses all keys if it cannot read it."""
    path = " ".join(effective.values("revokedkeys")[:1])
    if path == "none":
        return ""
    return path


def _find_revoked(question: Question, effective: Effective, key: PublicKey) -> str:
    """Whether the list of the revoked keys has a key. It is a text, or in OpenSSH's own format."""
    path = _revoked_path(effective)
    if not path:
        return ""
    try:
        data = question.system.read(path)
    except (OSError, MalformedError):
        return ""
    if data.startswith(KRL):
        state = states_of(question.system, [path])
        asked = partial(_is_in_krl, question.system, path, key)
        if not ask_once(question.system, ("krl", key.kind, key.blob, state), asked):
            return ""
    elif key.blob not in [blob for _, _, blob in authorized_keys.list_keys(data)]:
        return ""
    return "RevokedKeys %s in sshd's configuration lists the key" % path


def _is_in_krl(system: System, path: str, key: PublicKey) -> bool:
    keygen = system.tool("ssh-keygen")
    if keygen is None:
        return False
    line = "%s %s\n" % (key.kind, base64.b64encode(key.blob).decode())
    system.write(PROBE, line.encode(), 0o600, durable=False)
    try:
        said = system.run([keygen, "-Q", "-f", system.path(path), system.path(PROBE)]).stdout
    finally:
        system.remove(PROBE)
    return "REVOKED" in said
