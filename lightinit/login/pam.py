"""Whether PAM lets the admin in: its stages for sshd, and shadow.

The modules are not run: they might hang, and they keep counts. What they read is judged instead.
Each login passes the stages account and session, one with a password also auth.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from lightinit.formats.pam.stack import PamEntry, read_stack
from lightinit.formats.ssh import login_rules, login_words
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.password_policy import walk
from lightinit.host.accounts import files
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.login import asking
from lightinit.login.opening_keys import usable_keys
from lightinit.login.pam_modules import PASSES, PamVerdict, judge_etc_nologin, judge_module
from lightinit.login.question import Answer, Question

FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d", "/usr/share/pam.d")
SHADOW_HINT = (
    "fix the account in the image (chage -l says more), or create the VM again with another admin"
    " user name"
)


def check(question: Question) -> Answer:
    """Whether PAM's account stage, or sshd's own checks without PAM, allow the admin's login."""
    system = question.system
    server = find_server(system)
    if server.name != "sshd":
        return Answer()
    effective = asking.ask(system, server, question.account.name).effective
    uses_pam = _uses_pam(question, effective)
    verdicts = [(True, _judge_shadow(question, uses_pam))]
    if uses_pam:
        service = (effective.words("pamservicename") or ["sshd"])[0]
        for kind in ("account", "session"):
            verdicts += _judge_stage(question, service, kind)
    else:
        verdicts.append((uses_pam is False, judge_etc_nologin(question)))
    answer = _conclude(
        question, verdicts, "%s may not be able to log in: %s", "PAM" if uses_pam else ""
    )
    if answer.shut or not uses_pam or not login_words.takes_passwords(effective):
        return answer
    return _add_auth(question, effective, service, answer)


def _add_auth(question: Question, effective: Effective, service: str, answer: Answer) -> Answer:
    """What the stage auth says of the password. If a key is enough, its refusal is a doubt."""
    if not question.password:
        return answer
    unused: List[str] = []
    usable, _ = usable_keys(question, find_server(question.system), effective, unused)
    verdicts = _judge_stage(question, service, "auth")
    if login_words.refuse_means(effective, login_words.Means(usable, False)):
        found = _conclude(question, verdicts, "%s may not be able to log in: %s", answer.message)
    else:
        sure = [(False, each) for certain, each in verdicts if certain and each.refuses]
        found = _conclude(
            question, sure, "%s can log in with a key, but not with the password: %s", ""
        )
    return Answer(found.shut, found.hint, answer.doubts + found.doubts, answer.message)


def _judge_stage(question: Question, service: str, kind: str) -> List[Tuple[bool, PamVerdict]]:
    """(whether it counts for certain, what it says) of each module of a stage."""
    entries = _read_entries(question.system, service, kind)
    return [(each.certain, judge_module(question, each)) for each in entries]


def _conclude(
    question: Question, verdicts: Sequence[Tuple[bool, PamVerdict]], doubt: str, message: str
) -> Answer:
    doubts: List[str] = []
    for certain, verdict in verdicts:
        if verdict.refuses and certain:
            return Answer(verdict.why, verdict.hint)
        if verdict.refuses is not False:
            doubts.append(doubt % (question.who.user, verdict.why))
    return Answer(doubts=tuple(dict.fromkeys(doubts)), message=message)


def _uses_pam(question: Question, effective: Effective) -> Optional[bool]:
    """Whether sshd asks PAM; None if that is unknown."""
    if effective:
        return effective.words("usepam") == ["yes"]
    config = asking.read_config(question.system, find_server(question.system))
    for _, keyword, arguments in walk(config.text, config.list_included):
        if keyword == "usepam" and arguments:
            return arguments[0].lower() == "yes"
    return None


def _read_entries(system: System, service: str, kind: str) -> List[PamEntry]:
    def read(name: str) -> str:
        if name.startswith("/"):
            return system.read_text(name)
        for folder in FOLDERS:
            if system.exists("%s/%s" % (folder, name)):
                return system.read_text("%s/%s" % (folder, name))
        return ""

    return read_stack(service, kind, read) or read_stack("other", kind, read)


def _judge_shadow(question: Question, uses_pam: Optional[bool]) -> PamVerdict:
    shadow = files.read_account_file(question.system, "/etc/shadow")
    verdict = login_rules.judge_shadow(
        shadow,
        question.account.name,
        files.today(question.system),
        uses_pam,
        question.password_is_new,
    )
    if verdict.shut:
        return PamVerdict(True, verdict.shut, SHADOW_HINT)
    if verdict.doubt:
        return PamVerdict(None, verdict.doubt)
    return PASSES
