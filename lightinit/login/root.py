"""Checks whether the admin can become root: sudo and doas answer for all of their rules together.

The answer is never a refusal, only a warning. Both programs answer without a session.
"""

from __future__ import annotations

import os
import stat
from typing import Callable, Dict

from lightinit.formats.accounts import privileges as rules
from lightinit.formats.accounts import sudo_listing
from lightinit.host.accounts import effect
from lightinit.host.accounts.as_user import identify
from lightinit.host.accounts.grant import has_program
from lightinit.host.accounts.privileges import DOAS_CONF, DOAS_FOLDER, SUDOERS_FILE
from lightinit.host.attributes import CANNOT_TELL, read_attribute
from lightinit.host.files.access import OTHERS_MAY_WRITE
from lightinit.host.files.reach import Reader
from lightinit.host.system import System
from lightinit.login import key_files, rights
from lightinit.login.question import Answer, Question

# The setuid programs of NixOS.
WRAPPERS = "/run/wrappers/bin"
CAPABILITIES = "security.capability"  # they may replace the setuid bit


def check(question: Question) -> Answer:
    """Whether the admin can become root, if the settings want that."""
    user = question.account.name
    if question.privileges == "none" or question.account.uid == 0:
        return Answer()
    programs = [name for name in ASKERS if has_program(question.system, name)]
    if not programs:
        return Answer(doubts=(_say_none(question.system, user),), message="no sudo and no doas")
    if question.privileges == "password" and not question.has_password:
        text = "privileges = password, but %s has no password and cannot become root: set one"
        return Answer(doubts=(text % user,), message="no password")
    if not question.system.live:
        return Answer()
    doubts = []
    for name in programs:
        why = ASKERS[name](question)
        if not why:
            return Answer(message="%s becomes root by %s" % (user, name))
        doubts.append(why)
    # The module users writes its rule for the first one.
    return Answer(doubts=tuple(doubts[:1]), message=" and ".join(programs))


def _say_none(system: System, user: str) -> str:
    text = "%s cannot become root: neither sudo nor doas is installed" % user
    for path in (SUDOERS_FILE, DOAS_CONF):
        if system.exists(path):
            return "%s; when one is, its rule is in %s" % (text, path)
    return text


def _ask_sudo(question: Question) -> str:
    system, user = question.system, question.account.name
    why = _find_powerless(question, "sudo")
    if why:
        return "%s may not be able to become root: %s" % (user, why)
    answer = rights.ask_sudo(system, user)
    listing = sudo_listing.read_listing(answer.text)
    if listing is None:  # PAM may have refused root, too
        why = rights.find_refusal(question, sudo_listing.SERVICES)
        if why:
            return "%s may not be able to become root: %s" % (user, why)
        text = "sudo does not say whether %s can become root: %s; look at sudo -l -U %s"
        return text % (user, answer.said, user)
    judged = sudo_listing.why_not_root(listing, question.has_password, question.who.groups)
    for path in sudo_listing.list_work_dirs(listing):
        if not system.is_dir(path):
            judged = judged or "sudo starts commands in %s, which is no directory" % path
    if judged:
        text = "%s may not be able to become root: %s; look at sudo -l -U %s"
        return text % (user, judged, user)
    why = rights.find_refusal(question, sudo_listing.list_services(listing))
    if why:
        return "%s may not be able to become root: %s" % (user, why)
    return ""


def _ask_doas(question: Question) -> str:
    """The first doubt of all orders in which doas may read its files."""
    system, account = question.system, question.account
    why = _find_powerless(question, "doas")
    if why:
        return "%s may not be able to become root: %s" % (account.name, why)
    look_at = "look at %s and %s" % (DOAS_CONF, DOAS_FOLDER)
    identity = identify(account.name, account.uid, account.gid)
    for order in effect.doas_orders(system):
        for path in order:
            why = why or _find_unsafe(system, path)
        if why:
            return "%s may not be able to become root: %s" % (account.name, why)
        answer = effect.ask_doas(system, identity, order)
        judged = rules.judge_doas(answer.text, question.has_password)
        if judged is None:
            text = "doas does not say whether %s can become root: %s; %s"
            return text % (account.name, answer.said, look_at)
        if judged:
            text = "%s may not be able to become root: %s; %s"
            return text % (account.name, judged, look_at)
    why = rights.find_refusal(question, ["doas"])
    if why:
        return "%s may not be able to become root: %s" % (account.name, why)
    return ""


def _find_unsafe(system: System, path: str) -> str:
    """Why doas refuses a rule file because of its owner or mode; "" if it does not."""
    try:
        status = os.stat(system.path(path))
    except OSError:
        return ""
    if status.st_uid != 0:
        return "doas refuses %s, which is not root's" % path
    if status.st_mode & OTHERS_MAY_WRITE:
        return "doas refuses %s, which others may write to: chmod go-w" % path
    return ""


def _find_powerless(question: Question, name: str) -> str:
    """Why a program cannot give the admin root's rights, with any rules; "" if it can."""
    why = ""
    reader = key_files.find_reader(question.system, question.account)
    for path in (question.system.tool(name) or name, "%s/%s" % (WRAPPERS, name)):
        try:
            why_not = _judge_program(path, reader)
        except OSError:
            continue
        if not why_not:
            return ""
        why = why or why_not
    return why


def _judge_program(path: str, reader: Reader) -> str:
    status = os.stat(path)
    is_setuid = status.st_mode & stat.S_ISUID and status.st_uid == 0
    if not is_setuid and not _may_have_capabilities(path):
        return "%s is not setuid root: look at ls -lL %s" % (path, path)
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return "%s is on a file system that is mounted nosuid" % path
    if not _may_execute(status, reader):
        return "the user may not execute it: look at ls -lL %s" % path
    return ""


def _may_have_capabilities(path: str) -> bool:
    try:
        return bool(read_attribute(path, CAPABILITIES))
    except OSError as error:
        return error.errno == CANNOT_TELL


def _may_execute(status: os.stat_result, reader: Reader) -> bool:
    if status.st_uid == reader.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid in reader.gids:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


ASKERS: Dict[str, Callable[[Question], str]] = {"sudo": _ask_sudo, "doas": _ask_doas}
