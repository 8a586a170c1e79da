"""Checks whether sshd accepts the admin, according to the configuration that it reports.

It is asked for a login from outside. If its configuration makes a difference between origins, it is
asked for one from this host's own network, too, and for both by IPv6 if this host has an address of
it. If none of them is let in, it is asked for each network that the configuration names, before the
verdict is that nobody is.
"""

from __future__ import annotations

import os
import stat
from typing import List, Sequence, Tuple

from lightinit.formats.ssh import login_limits, login_rules, login_words, origins
from lightinit.formats.ssh.effective import Effective
from lightinit.host.files.access import OTHERS_MAY_WRITE
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import find_answering
from lightinit.host.system import System
from lightinit.login import asking, key_files
from lightinit.login.opening_keys import Refusal, usable_keys
from lightinit.login.places import list_places
from lightinit.login.question import Answer, Question
from lightinit.model import NamedTuple

HINTS = {
    "fault": "fix sshd's configuration in the image, with the help of sshd -t",
    "list": (
        "change that list in the image; the setting groups of the module users says which groups"
        " the admin joins"
    ),
    "key": "give the VM a key that sshd accepts, or change that line in the image",
    "file": "look at that path as root, in the image",
    "word": "change that line of sshd's configuration in the image",
}


class Judged(NamedTuple):
    """sshd's answer for logins from one place."""

    place: str
    refusal: Refusal
    doubts: Tuple[str, ...] = ()


def check(question: Question) -> Answer:
    """Whether sshd accepts the admin's login from outside."""
    system = question.system
    server = find_answering(system, "sshd")
    if not server.name:
        return Answer()
    first = asking.ask(system, server, question.account.name)
    if first.said:
        return _without_answer(question, server, first.said)
    judged = [Judged("outside", *_judge(question, server, first.effective))]
    doubts: List[str] = []
    conditions = asking.read_config(system, server).conditions
    if first.effective and origins.make_a_difference(conditions):
        judged += _ask_elsewhere(question, server, conditions, judged[0], doubts)
    return _conclude(judged, doubts)


def _conclude(judged: Sequence[Judged], doubts: List[str]) -> Answer:
    shut = [each for each in judged if each.refusal.why]
    why, kind = judged[0].refusal
    if len(shut) == len(judged) and not doubts:
        return Answer(why, HINTS[kind])
    for each in shut:
        doubts.append("sshd refuses logins from %s: %s" % (each.place, each.refusal.why))
    for each in judged:
        doubts += each.doubts
    return Answer(doubts=tuple(dict.fromkeys(doubts)), message="sshd")


def _without_answer(question: Question, server: SshServer, said: str) -> Answer:
    """Handle the case that sshd prints no configuration. If it rejects its configuration, it does
    not start either.
    """
    fault = asking.find_fault(question.system, server, question.account.name)
    if fault:
        why = "sshd does not start with its configuration: %s" % fault
        return Answer(why, HINTS["fault"])
    doubt = "sshd could not be asked whether it accepts %s; it said: %s; look at sshd -T" % (
        question.who.user,
        fault or said,
    )
    return Answer(doubts=(doubt,))


def _ask_elsewhere(
    question: Question,
    server: SshServer,
    conditions: Sequence[Tuple[str, str]],
    outside: Judged,
    doubts: List[str],
) -> List[Judged]:
    """What sshd does with logins from other places. They are asked for until one is let in."""
    system = question.system
    is_shut = bool(outside.refusal.why)
    if is_shut and any(name == "host" for name, _ in conditions):
        doubts.append("a Match Host block of sshd's configuration may allow logins from some hosts")
    found: List[Judged] = []
    for place in list_places(system, server, question.account.name, conditions, is_shut):
        reply = asking.ask_about(system, server, place.attempt)
        if reply.said:
            doubts.append(
                "sshd could not be asked about logins from %s: %s" % (place.name, reply.said)
            )
            continue
        if not login_words.listens_for(reply.effective, place.attempt.address):
            continue
        judged = Judged(place.name, *_judge(question, server, reply.effective))
        if place.matters or not judged.refusal.why:
            found.append(judged)
        if is_shut and not judged.refusal.why:
            break
    return found


# -- one origin
# --------------------------------------------------------------------------------------------------


def _judge(
    question: Question, server: SshServer, effective: Effective
) -> Tuple[Refusal, Tuple[str, ...]]:
    lists = login_rules.judge_lists(effective, question.who)
    if lists.shut:
        return Refusal(lists.shut, "list"), ()
    doubts = []
    if lists.doubt:
        doubts.append("%s may not be able to log in: %s" % (question.who.user, lists.doubt))
    root, root_doubt = _judge_root(question, effective)
    for why in (
        login_limits.refuse_session(effective),
        _find_no_host_key(question, effective),
        root,
    ):
        if why:
            return Refusal(why), ()
    doubts += [each for each in (root_doubt,) if each]
    if question.system.live:
        why, note = login_words.judge_listening(effective, asking.own_addresses())
        if why and not _has_socket(question.system):
            return Refusal(why), ()
        doubts += [each for each in (note,) if each]
    usable, refusal = usable_keys(question, server, effective, doubts)
    means = login_words.Means(usable, question.password)
    why = login_words.refuse_means(effective, means)
    if why and refusal.why and not question.password:
        return refusal, ()
    if not why and question.account.uid == 0:
        why = login_words.refuse_root(effective, means)
    if why:
        return Refusal(why), ()
    if refusal.why and question.keys:
        others = "the other keys can"
        if not usable:
            others = "the password can"
        doubts.append("an ssh key cannot log in (%s): %s" % (others, refusal.why))
    return Refusal(), tuple(doubts + login_limits.doubt_session(effective))


def _has_socket(system: System) -> bool:
    """Whether systemd listens instead of sshd; then ListenAddress has no effect."""
    return bool(system.glob("/etc/systemd/system/sockets.target.wants/ssh*.socket"))


def _find_no_host_key(question: Question, effective: Effective) -> str:
    """Why no host key of sshd's can be used; "" if that is not certain."""
    for word in ("hostcertificate", "hostkeyagent"):
        if effective.words(word, ["none"]) != ["none"]:
            return ""
    kinds = []
    for path in effective.values("hostkey"):
        words = question.system.read_text(path + ".pub").split()
        if not words or not question.system.exists(path):
            return ""  # it may be made later, or has another type
        kinds.append(words[0])
    return login_limits.refuse_host_keys(effective, kinds)


def _judge_root(question: Question, effective: Effective) -> Tuple[str, str]:
    """(why sshd ends each session because of ChrootDirectory, what may end it).

    sshd demands that the directory and all above it are root's, and nobody else's to write.
    """
    value, needs_shell = login_limits.split_root(effective)
    if not value or not question.system.live:
        return "", ""
    root = key_files.expand(question.account, value)
    place = ""
    for name in root.rstrip("/").split("/"):
        place = place.rstrip("/") + "/" + name
        try:
            status = os.stat(question.system.path(place))
        except OSError:
            return "ChrootDirectory %s does not exist" % root, ""
        if not stat.S_ISDIR(status.st_mode):
            return "%s in ChrootDirectory %s is no directory" % (place, root), ""
        if status.st_uid != 0 or status.st_mode & OTHERS_MAY_WRITE:
            why = "ChrootDirectory %s: %s is not root's, or others may write to it"
            return why % (root, place), ""
    if needs_shell and not question.system.exists(root + question.account.shell):
        return "", "ChrootDirectory %s has no %s" % (root, question.account.shell)
    return "", ""
