"""Checks whether sshd accepts the admin, according to the configuration that it reports.

lightinit asks sshd about a login from outside. If the configuration depends on where a login comes
from, it also asks about this host's own network. If sshd refuses both, it asks about each network
that the configuration names, before it concludes that nobody can log in.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.ssh import authorized_keys, login_rules, login_words, origins
from lightinit.formats.ssh.effective import Effective
from lightinit.host.files.reach import Barrier, find_barrier
from lightinit.host.ssh.server import LoginAttempt, SshServer
from lightinit.host.ssh.servers import find_server, list_servers
from lightinit.host.system import System
from lightinit.login import asking, key_files
from lightinit.login.question import Answer, Question

MAX_ORIGINS = 8
# The folders with the services that init systems start: systemd, OpenRC, System V, runit, dinit.
STARTED_AT = (
    "/etc/systemd/system/*.wants/%s*",
    "/etc/runlevels/*/%s",
    "/etc/rc[2-5].d/S[0-9][0-9]%s",
    "/var/service/%s",
    "/etc/dinit.d/boot.d/%s",
)
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


class Refusal(NamedTuple):
    """Why sshd refuses a login ("" if it does not), and the key of the hint."""

    why: str = ""
    kind: str = "word"


class Judged(NamedTuple):
    """sshd's answer for logins from one place."""

    place: str
    refusal: Refusal
    doubts: Tuple[str, ...] = ()


def check(question: Question) -> Answer:
    """Whether sshd accepts the admin's login from outside."""
    system = question.system
    server = find_server(system)
    if server.name != "sshd":
        return Answer()
    first = asking.ask(system, server, question.account.name)
    if first.said:
        return _without_answer(question, server, first.said)
    judged = [Judged("outside", *_judge(question, server, first.effective))]
    doubts: List[str] = []
    config = asking.read_config(system, server)
    conditions = origins.list_conditions(config.text, config.list_included)
    if first.effective and origins.make_a_difference(conditions):
        judged += _ask_elsewhere(question, server, conditions, judged[0], doubts)
    return _conclude(question, judged, doubts, _has_other_server(system))


def _conclude(
    question: Question, judged: Sequence[Judged], doubts: List[str], has_other_server: bool
) -> Answer:
    shut = [each for each in judged if each.refusal.why]
    why, kind = judged[0].refusal
    if len(shut) == len(judged) and not doubts and not has_other_server:
        return Answer(why, HINTS[kind])
    for each in shut:
        doubts.append("sshd refuses logins from %s: %s" % (each.place, each.refusal.why))
    if len(shut) == len(judged) and has_other_server:
        doubts.append("whether the other SSH server accepts %s was not asked" % question.who.user)
    for each in judged:
        doubts += each.doubts
    return Answer(doubts=tuple(dict.fromkeys(doubts)), message="sshd")


def _without_answer(question: Question, server: SshServer, said: str) -> Answer:
    """Handle the case that sshd prints no configuration. If it rejects its configuration, it does
    not start either.
    """
    fault = server.find_fault(question.system)
    if fault and not _has_other_server(question.system):
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
    """sshd's answers for logins from other places, until it accepts one."""
    system, user = question.system, question.account.name
    own = asking.own_address(system)
    places: Dict[str, LoginAttempt] = {}
    config = asking.read_config(system, server)
    port = origins.find_port(config.text, config.list_included)
    if own:
        places["this host's own network"] = LoginAttempt(user, _neighbour(own), own, port)
    if outside.refusal.why:
        for address in [asking.ANYWHERE_ELSE] + origins.list_addresses(conditions)[:MAX_ORIGINS]:
            places.setdefault(address, LoginAttempt(user, address, own, port))
        for address in asking.own_addresses()[:MAX_ORIGINS]:
            if address != own and any(name == "localaddress" for name, _ in conditions):
                place = "anywhere to %s" % address
                places[place] = LoginAttempt(user, asking.ANYWHERE, address, port)
        if any(name == "host" for name, _ in conditions):
            doubts.append(
                "a Match Host block of sshd's configuration may allow logins from some hosts"
            )
    found: List[Judged] = []
    for place, connection in places.items():
        reply = asking.ask_about(system, server, connection)
        if reply.said:
            doubts.append("sshd could not be asked about logins from %s: %s" % (place, reply.said))
            continue
        judged = Judged(place, *_judge(question, server, reply.effective))
        if place == "this host's own network" or not judged.refusal.why:
            found.append(judged)
        if outside.refusal.why and not judged.refusal.why:
            break
    return found


def _neighbour(address: str) -> str:
    """Another address in the same network."""
    head, dot, last = address.rpartition(".")
    if not dot:
        return address
    if last == "1":
        return head + ".2"
    return head + ".1"


def _has_other_server(system: System) -> bool:
    """Whether the init system starts another SSH server, too."""
    services = [name for server in list_servers(system)[1:] for name in server.services]
    return any(system.glob(place % name) for name in services for place in STARTED_AT)


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
    why = login_words.refuse_session(effective)
    if why:
        return Refusal(why), ()
    if question.system.live:
        why, note = login_words.judge_listening(effective, asking.own_addresses())
        if why and not _has_socket(question.system):
            return Refusal(why), ()
        doubts += [each for each in (note,) if each]
    usable, refusal = _usable_keys(question, server, effective, doubts)
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
    return Refusal(), tuple(doubts + login_words.doubt_session(effective))


def _has_socket(system: System) -> bool:
    """Whether systemd listens instead of sshd; then ListenAddress has no effect."""
    return bool(system.glob("/etc/systemd/system/sockets.target.wants/ssh*.socket"))


def _usable_keys(
    question: Question, server: SshServer, effective: Effective, doubts: List[str]
) -> Tuple[int, Refusal]:
    """How many keys can log in, and why the others cannot."""
    there, barrier = _keys_in_files(question, server, effective, doubts)
    if not question.keys and not there:
        return 0, Refusal("no ssh key", "key")
    accepted: Set[Tuple[str, bytes]] = set()
    refusal = Refusal()
    for key in question.keys:
        why = login_words.refuse_key(effective, key)
        if why:
            refusal = Refusal(why, "key")
        elif (key.kind, key.blob) not in there:
            refusal = _not_there(question, effective, barrier, doubts)
            if not refusal.why:
                accepted.add((key.kind, key.blob))
        else:
            accepted.add((key.kind, key.blob))
            doubts += [each for each in (login_words.doubt_key(effective, key),) if each]
    if not question.keys:  # there are only the keys of the image
        accepted |= there
    if accepted:
        revoked = _find_revoked(question, effective)
        if revoked:
            return 0, Refusal(revoked, "file")
    return len(accepted), refusal


def _not_there(
    question: Question, effective: Effective, barrier: Refusal, doubts: List[str]
) -> Refusal:
    """The answer if a key is in no file that sshd can read. It is no refusal in a doubtful case."""
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
    """(type, blob) of each key in the files that sshd reads, and why it cannot read other files."""
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


def _find_revoked(question: Question, effective: Effective) -> str:
    """Why sshd refuses all keys: it cannot read the list of revoked keys. "" if it can."""
    path = " ".join(effective.values("revokedkeys")[:1])
    if path in ("", "none") or question.system.exists(path):
        return ""
    return "RevokedKeys %s in sshd's configuration does not exist, so sshd refuses all keys" % path
