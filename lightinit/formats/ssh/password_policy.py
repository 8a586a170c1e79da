"""Whether sshd lets anybody in with a password: read out of its configuration, and put into it.

Pure. Semantics: sshd_config(5). The first value of a keyword counts, so what is to be in force
stands before the rest; a value in a Match block that applies counts before that.
"""

from __future__ import annotations

import fnmatch
from typing import Callable, Dict, Iterator, List, Sequence, Tuple

from lightinit.formats.ssh.sshd_config import MAX_DEPTH, split_lines

Included = Callable[[str], Sequence[Tuple[str, str]]]

PASSWORD = "passwordauthentication"  # noqa: S105 - a keyword
INTERACTIVE = "kbdinteractiveauthentication"
# Before OpenSSH 8.7 a switch of its own, that switches INTERACTIVE on; since then another name for
# it.
CHALLENGE = "challengeresponseauthentication"
PUBLIC_KEY = "pubkeyauthentication"
METHODS = "authenticationmethods"
SWITCHES = (PASSWORD, INTERACTIVE, CHALLENGE, "skeyauthentication")
HEAD = "# Made by lightinit: password login as the platform orders it. The first value counts.\n"
BEGIN, END = "# BEGIN lightinit\n", "# END lightinit\n"


def policy_text(password_login: bool, challenge: bool = True) -> str:
    """The lines that put a policy into force.

    Args:
        password_login: whether a password opens the door.
        challenge: whether sshd may know the old name ChallengeResponseAuthentication, or knows
            nothing but that.
    """
    if password_login:
        return HEAD + "PasswordAuthentication yes\n"
    # PAM asks for the same password by way of the others.
    return (
        HEAD
        + "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        + ("ChallengeResponseAuthentication no\n" if challenge else "")
    )


def put_block(text: str, policy: str) -> str:
    """A sshd_config with ``policy`` at its top, in place of the one that was put there before."""
    return BEGIN + policy + END + drop_block(text)


def drop_block(text: str) -> str:
    """A sshd_config without what :func:`put_block` put there; unchanged without that."""
    before, begin, rest = text.partition(BEGIN)
    ours, end, after = rest.partition(END)
    whole = begin and end and (not before or before.endswith("\n"))
    return before + after if whole else text


def drop_in_counts(text: str, drop_in: str, included: Included) -> bool:
    """Whether the file ``drop_in`` would have the first word on passwords.

    Args:
        text: sshd_config.
        drop_in: an absolute path; whether it is there does not matter.
        included: gives (path, text) of the files that an Include pattern names, in order.
    """
    for keyword, arguments in split_lines(text):
        if keyword == "match" or keyword in SWITCHES:
            return False
        if keyword == "include":
            for pattern in arguments:
                there = list(included(pattern))
                named = _names(pattern, drop_in)
                before = [body for path, body in there if path < drop_in or not named]
                if any(
                    not block and found in SWITCHES
                    for body in before
                    for block, found, _ in walk(body, included)
                ):
                    return False
                if named:
                    return True
    return False


def walk(
    text: str, included: Included, block: str = "", depth: int = 0
) -> Iterator[Tuple[str, str, List[str]]]:
    """Each (conditions of the Match that it stands below, "" for none; keyword; arguments),
    Includes followed.
    """
    for keyword, arguments in split_lines(text):
        if keyword == "match":
            block = " ".join(arguments) or "?"
        elif keyword == "include" and depth < MAX_DEPTH:
            for pattern in arguments:
                for _, body in included(pattern):
                    yield from walk(body, included, block, depth + 1)
        else:
            yield block, keyword, arguments


def contrary_matches(text: str, password_login: bool, included: Included) -> List[str]:
    """The conditions of the Match blocks that say something else than ``password_login``, each
    once.
    """
    contrary = ["no"] if password_login else ["yes"]
    switches = (PASSWORD,) if password_login else SWITCHES
    return list(
        dict.fromkeys(
            block
            for block, keyword, arguments in walk(text, included)
            if block and keyword in switches and arguments[:1] == contrary
        )
    )


def read_effective(output: str) -> Dict[str, List[str]]:
    """What the output of ``sshd -T`` says: the words after each keyword."""
    return dict(split_lines(output))


def in_force(effective: Dict[str, List[str]], password_login: bool) -> bool:
    """Whether what ``sshd -T`` says is what was wished."""
    if password_login:
        methods = effective.get(METHODS) or ["any"]
        alone = any(
            method.split(":")[0] in ("any", "password", "keyboard-interactive")
            for method in methods
        )
        return effective.get(PASSWORD) == ["yes"] and alone
    return all(
        effective.get(keyword, ["no"]) == ["no"] for keyword in (PASSWORD, INTERACTIVE, CHALLENGE)
    )


def keys_in_force(effective: Dict[str, List[str]]) -> bool:
    """Whether, by what ``sshd -T`` says, a key alone opens an account; yes where it says
    nothing.
    """
    methods = effective.get(METHODS) or ["any"]
    alone = any(
        all(step.split(":")[0] in ("any", "publickey") for step in method.split(","))
        for method in methods
    )
    return effective.get(PUBLIC_KEY, ["yes"]) == ["yes"] and alone


def _names(pattern: str, path: str) -> bool:
    """Whether the pattern of an Include covers ``path``; no part of it goes over a slash."""
    whole = pattern if pattern.startswith("/") else "/etc/ssh/" + pattern
    one, other = whole.split("/"), path.split("/")
    return len(one) == len(other) and all(
        fnmatch.fnmatchcase(part, match) for match, part in zip(one, other)
    )
