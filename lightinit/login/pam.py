"""Checks whether PAM's account stage for sshd allows the admin's login: its modules, and shadow.

The modules are not run, since they might hang, and some count logins. lightinit evaluates the files
that they read.
"""

from __future__ import annotations

from typing import List, Optional

from lightinit.formats.pam.stack import PamEntry, read_stack
from lightinit.formats.ssh import login_rules
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.password_policy import walk
from lightinit.host.accounts import files
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.login import asking
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
        entries = _read_entries(system, service)
        verdicts += [
            (each.certain, judge_module(question, each)) for each in entries if each.counts
        ]
    else:
        verdicts.append((uses_pam is False, judge_etc_nologin(question)))
    doubts: List[str] = []
    for certain, verdict in verdicts:
        if verdict.refuses and certain:
            return Answer(verdict.why, verdict.hint)
        if verdict.refuses is not False:
            doubts.append("%s may not be able to log in: %s" % (question.who.user, verdict.why))
    return Answer(doubts=tuple(doubts), message="PAM" if uses_pam else "")


def _uses_pam(question: Question, effective: Effective) -> Optional[bool]:
    """Whether sshd asks PAM; None if that is unknown."""
    if effective:
        return effective.words("usepam") == ["yes"]
    config = asking.read_config(question.system, find_server(question.system))
    for _, keyword, arguments in walk(config.text, config.list_included):
        if keyword == "usepam" and arguments:
            return arguments[0].lower() == "yes"
    return None


def _read_entries(system: System, service: str) -> List[PamEntry]:
    def read(name: str) -> str:
        if name.startswith("/"):
            return system.read_text(name)
        for folder in FOLDERS:
            if system.exists("%s/%s" % (folder, name)):
                return system.read_text("%s/%s" % (folder, name))
        return ""

    return read_stack(service, "account", read) or read_stack("other", "account", read)


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
