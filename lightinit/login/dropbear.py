"""Whether dropbear lets the admin in, if it answers logins on this host, alone or beside sshd.

It cannot be asked. What it looks at is looked at here: the shell, the options with which the init
system starts it, and the keys file with the way to it. Its order: svr-auth.c, svr-authpubkey.c.
"""

from __future__ import annotations

import re
from typing import List, Set, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.ssh import authorized_keys, dropbear_options
from lightinit.formats.ssh.dropbear_options import DropbearOptions
from lightinit.host.files.reach import Reader, find_barrier
from lightinit.host.ssh.dropbear import UCI_FILE, read_option_texts
from lightinit.host.ssh.servers import find_answering
from lightinit.host.system import System
from lightinit.login import asking
from lightinit.login.question import Answer, Question

HINT = "look at dropbear's options, in the image"
ROOTS_FILE = "/etc/dropbear/authorized_keys"  # OpenWrt's dropbear reads it for root
SHELL_HINT = "add it to that file in the image"


def check(question: Question) -> Answer:
    """Whether dropbear lets the admin in from outside."""
    system = question.system
    server = find_answering(system, "dropbear")
    if not server.name:
        return Answer()
    shell = question.account.shell or "/bin/sh"
    if not server.accepts_shell(system, shell):
        why = "its shell %s is not in /etc/shells, and dropbear takes no other" % shell
        return Answer(why, SHELL_HINT)
    texts = read_option_texts(system)
    options = dropbear_options.read_started(texts.units, texts.scripts, texts.files, texts.uci)
    why = _refuse(question, options)
    if why:
        return Answer(why, HINT)
    said = _ask(system, options.flags)
    doubts: List[str] = []
    usable, no_key = _usable_keys(question, options, dropbear_options.read_version(said), doubts)
    why = _refuse_means(question, options, usable, no_key)
    if why:
        return Answer(why, HINT)
    complaint = dropbear_options.read_complaint(said)
    if complaint:
        doubts.append("dropbear does not start with its options: %s" % complaint)
    if no_key and question.keys:
        doubts.append("an ssh key cannot log in: %s" % no_key)
    return Answer(doubts=tuple(doubts + _note(options)), message="dropbear")


def _refuse(question: Question, options: DropbearOptions) -> str:
    if "w" in options.flags and question.account.uid == 0:
        return "dropbear lets root not in (-w)"
    if options.group and options.group not in question.who.groups:
        return "dropbear lets in members of the group %s only (-G)" % options.group
    if not question.system.live:
        return ""
    return dropbear_options.find_unreached(options.ports, asking.own_addresses())


def _refuse_means(question: Question, options: DropbearOptions, usable: int, no_key: str) -> str:
    """Why neither the keys nor the password are enough; "" if they are."""
    password = question.password and "s" not in options.flags
    if "g" in options.flags and question.account.uid == 0:
        password = False
    if "t" in options.flags and not (usable and password):
        return "dropbear wants both a key and a password (-t)"
    if usable or password:
        return ""
    if question.password and "s" in options.flags:
        return "dropbear takes no passwords (-s), and no key opens the account"
    return no_key or "no ssh key"


def _note(options: DropbearOptions) -> List[str]:
    """What an operator should know about a login that works."""
    found = []
    if options.command:
        command = options.command.encode("ascii", "replace").decode()
        found.append("dropbear gives no plain shell: -c %s" % command)
    ports = [each.rpartition(":")[2] for each in options.ports]
    if ports and "22" not in ports:
        found.append("dropbear listens on port %s, not on 22" % " ".join(dict.fromkeys(ports)))
    return found


def _usable_keys(
    question: Question, options: DropbearOptions, version: Tuple[int, int], doubts: List[str]
) -> Tuple[int, str]:
    """How many keys open the account, and why the others do not."""
    there, why_not = _keys_in_file(question, options, doubts)
    if not question.keys:
        return len(there), why_not
    usable = 0
    for key in question.keys:
        why = dropbear_options.refuse_key(key.kind, version)
        if not why and (key.kind, key.blob) not in there:
            why = why_not or "its key is not in the file that dropbear reads"
            if not question.keys_are_ours:
                doubts.append("%s may not be able to log in: %s" % (question.who.user, why))
                why = ""
        usable += not why
        why_not = why_not or why
    return usable, why_not


def _keys_in_file(
    question: Question, options: DropbearOptions, doubts: List[str]
) -> Tuple[Set[Tuple[str, bytes]], str]:
    """(type, blob) of the keys that dropbear reads, and why it cannot read them."""
    system, account = question.system, question.account
    folder = re.sub(r"^~(?=/|$)", account.home.rstrip("/"), options.keys_folder)
    path = "%s/authorized_keys" % folder.rstrip("/")
    if account.uid == 0 and system.exists(UCI_FILE) and system.exists(ROOTS_FILE):
        path = ROOTS_FILE
    if system.can_own:
        # It has the user's id and first group, and no others.
        reader = Reader(account.uid, (account.gid,))
        for strict in (False, True):
            barrier = find_barrier(system, path, reader, account.home, strict)
            if barrier is None:
                continue
            why = "dropbear cannot use %s: %s" % (barrier.path, barrier.why)
            # Whether others may write to the file itself, newer versions do not ask.
            if barrier.certain and not (strict and barrier.path == path):
                return set(), why
            doubts.append(why)
            break
    try:
        data = system.read(path)
    except (OSError, MalformedError):
        return set(), "dropbear cannot read %s" % path
    return {(kind, blob) for _, kind, blob in authorized_keys.list_keys(data)}, ""


def _ask(system: System, flags: str) -> str:
    """What the real dropbear says if it is started with these options and -V: its version, after an
    option that it does not know if there is one. It starts nothing.
    """
    tool = system.tool("dropbear")
    if tool is None or not system.live:
        return ""
    started = [
        "-" + letter for letter in dict.fromkeys(flags) if letter.isalnum() and letter != "h"
    ]
    try:
        ended = system.run([tool, *started, "-V"])
        if started and not ended.ok:  # it has stopped at the option
            version = system.run([tool, "-V"])
            return ended.stdout + ended.stderr + version.stdout + version.stderr
    except ProvisioningError:
        return ""
    return ended.stdout + ended.stderr
