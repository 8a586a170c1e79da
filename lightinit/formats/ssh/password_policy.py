"""Reads and sets password login in sshd's configuration.

Pure. Semantics: sshd_config(5). The first value of a keyword counts, so lightinit's lines come
before all others. A value in a matching Match block overrides them.
"""

from __future__ import annotations

from typing import Callable, Iterator, List, Sequence, Tuple

from lightinit.formats.ssh import sshd_config
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.sshd_config import MAX_DEPTH, names_file, split_lines

Included = Callable[[str], Sequence[Tuple[str, str]]]

PASSWORD = "passwordauthentication"  # noqa: S105 - a keyword
INTERACTIVE = "kbdinteractiveauthentication"
# Before OpenSSH 8.7 this is a setting of its own, which switches INTERACTIVE on. Since then it is
# another name for INTERACTIVE.
CHALLENGE = "challengeresponseauthentication"
PUBLIC_KEY = "pubkeyauthentication"
METHODS = "authenticationmethods"
SWITCHES: Tuple[str, ...] = (PASSWORD, INTERACTIVE, CHALLENGE, "skeyauthentication")
HEAD = "# Made by lightinit: password login as the platform orders it. The first value counts.\n"
BLOCK = "lightinit"


def policy_text(password_login: bool, challenge: bool = True) -> str:
    """The lines that set a policy.

    Args:
        password_login: whether password login is allowed.
        challenge: whether to add the old name ChallengeResponseAuthentication: some versions of
            sshd know only that one, newer ones may not know it.
    """
    if password_login:
        return HEAD + "PasswordAuthentication yes\n"
    # With these other methods, PAM would ask for the same password.
    text = HEAD + "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    if challenge:
        text += "ChallengeResponseAuthentication no\n"
    return text


def put_block(text: str, policy: str) -> str:
    """A sshd_config with ``policy`` in lightinit's block at its top. An older block is replaced."""
    return sshd_config.put_block(text, BLOCK, policy)


def drop_block(text: str) -> str:
    """A sshd_config without lightinit's block, as :func:`put_block` makes it."""
    return sshd_config.drop_block(text, BLOCK)


def drop_in_counts(text: str, drop_in: str, included: Included) -> bool:
    """Whether a value for password login in the file ``drop_in`` would be the first one.

    Args:
        text: sshd_config.
        drop_in: an absolute path; the file need not exist.
        included: takes an Include pattern; returns (path, text) of its files, in order.
    """
    for keyword, arguments in split_lines(text):
        if keyword == "match" or keyword in SWITCHES:
            return False
        if keyword == "include":
            for pattern in arguments:
                named = names_file(pattern, drop_in)
                earlier = [body for path, body in included(pattern) if path < drop_in or not named]
                if any(_has_switch(body, included) for body in earlier):
                    return False
                if named:
                    return True
    return False


def _has_switch(text: str, included: Included) -> bool:
    return any(not block and keyword in SWITCHES for block, keyword, _ in walk(text, included))


def walk(
    text: str, included: Included, block: str = "", depth: int = 0
) -> Iterator[Tuple[str, str, List[str]]]:
    """Each line as (conditions of its Match block, "" outside of one; keyword; arguments).

    Includes are followed.
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
    """The conditions of Match blocks whose policy differs from ``password_login``, each once."""
    contrary, switches = ["yes"], SWITCHES
    if password_login:
        contrary, switches = ["no"], (PASSWORD,)
    return list(
        dict.fromkeys(
            block
            for block, keyword, arguments in walk(text, included)
            if block and keyword in switches and arguments[:1] == contrary
        )
    )


def in_force(effective: Effective, password_login: bool) -> bool:
    """Whether a policy is in force.

    Args:
        effective: the configuration that is in force.
        password_login: the policy.
    """
    if password_login:
        return effective.words(PASSWORD) == ["yes"] and any(
            _method(step) in ("any", "password", "keyboard-interactive")
            for step in _methods(effective)
        )
    return all(
        effective.words(keyword, ["no"]) == ["no"] for keyword in (PASSWORD, INTERACTIVE, CHALLENGE)
    )


def keys_in_force(effective: Effective) -> bool:
    """Whether a key alone is enough for a login; also True if sshd did not answer."""
    return effective.words(PUBLIC_KEY, ["yes"]) == ["yes"] and any(
        all(_method(step) in ("any", "publickey") for step in steps.split(","))
        for steps in _methods(effective)
    )


def _methods(effective: Effective) -> List[str]:
    """AuthenticationMethods: lists of methods, separated by commas. One list is enough."""
    return effective.words(METHODS) or ["any"]


def _method(step: str) -> str:
    # A submethod may follow, such as keyboard-interactive:pam.
    return step.split(":")[0]
