"""Whether PAM lets the admin in: its stages for sshd, and shadow.

The modules are not run: they might hang, and they keep counts. What they read is judged instead.
Each login passes the stages account and session, one with a password also auth.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from lightinit.formats.ssh import login_rules, login_words
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.password_policy import walk
from lightinit.host.accounts import files
from lightinit.host.ssh.servers import find_answering
from lightinit.login import asking
from lightinit.login.opening_keys import usable_keys
from lightinit.login.pam_modules import PASSES, PamVerdict, judge_etc_nologin, judge_stage
from lightinit.login.question import Answer, Question

SHADOW_HINT = (
    "fix the account in the image (chage -l says more), or create the VM again with another admin"
    " user name"
)


def check(question: Question) -> Answer:
    """Whether PAM's account stage, or sshd's own checks without PAM, allow the admin's login."""
    system = question.system
    server = find_answering(system, "sshd")
    if not server.name:
        return Answer()
    effective = asking.ask(system, server, question.account.name).effective
    uses_pam = _uses_pam(question, effective)
    verdicts = [(True, _judge_shadow(question, uses_pam))]
    if uses_pam:
        service = (effective.words("pamservicename") or ["sshd"])[0]
        for kind in ("account", "session"):
            verdicts += judge_stage(question, service, kind)
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
    usable, _ = usable_keys(question, find_answering(question.system, "sshd"), effective, unused)
    verdicts = judge_stage(question, service, "auth")
    if login_words.refuse_means(effective, login_words.Means(usable, False)):
        found = _conclude(question, verdicts, "%s may not be able to log in: %s", answer.message)
    else:
        sure = [(False, each) for certain, each in verdicts if certain and each.refuses]
        found = _conclude(
            question, sure, "%s can log in with a key, but not with the password: %s", ""
        )
    return Answer(found.shut, found.hint, answer.doubts + found.doubts, answer.message)


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
    config = asking.read_config(question.system, find_answering(question.system, "sshd"))
    for _, keyword, arguments in walk(config.text, config.list_included):
        if keyword == "usepam" and arguments:
            return arguments[0].lower() == "yes"
    return None


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
