"""The login check, between the config stage and the report: can the admin log in from outside,
and become root?

Each check of :mod:`lightinit.login` is a step of its own. What it doubts is a warning. If one says
that nobody gets in, the step ``login`` fails, and the platform hears NotReady.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, List, Optional, Sequence, Tuple, Union

from lightinit.errors import ProvisioningError
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, run_step
from lightinit.stages.selection import module_list
from lightinit.stages.selection.given import find_cloud_config

if TYPE_CHECKING:
    from lightinit.login.question import Answer, Question

KIND = "check"
NAME = "login"
KEYS_MODULE, USERS_MODULE = "ssh_authorized_keys", "users"
MISSING = Outcome("there is no such account")


def run(context: Context) -> None:
    """Run the checks that the settings leave on, unless the boot has failed already. They leave no
    mark: what they say holds for the report that follows.
    """
    wish = context.settings["lightinit"]["login_check"]
    if context.instance is None or context.first_failure is not None:
        return
    unmarked = context.unmarked()
    answers: Dict[str, Answer] = {}
    found: List[Union[Question, Outcome]] = []

    def find_question() -> Union[Question, Outcome]:
        if not found:  # one for all checks: nothing changes between them
            found.append(_find_question(context))
        return found[0]

    for name in wanted_checks(context):
        run_step(
            unmarked,
            KIND,
            name,
            Frequency.BOOT,
            _work_of(find_question, name, answers),
            required=False,
            isolate=True,
        )
    is_missing = MISSING in found and wish != "no"
    if is_missing or any(answer.shut for answer in answers.values()):

        def conclude() -> Outcome:
            return _conclude_missing(context) if is_missing else _conclude(context, answers)

        run_step(unmarked, KIND, NAME, Frequency.BOOT, conclude, required=wish == "yes")


def wanted_checks(context: Context) -> Sequence[str]:
    """The names of the checks. ``login_check`` is about logins: whether the admin becomes root is
    asked in any case, since ``privileges`` asks for that.
    """
    from lightinit.login import CHECKS, ROOT

    if context.settings["lightinit"]["login_check"] == "no":
        return (ROOT,)
    return CHECKS


def _work_of(
    find_question: Callable[[], Union[Question, Outcome]], name: str, answers: Dict[str, Answer]
) -> Callable[[], Outcome]:
    from lightinit.login import load_check

    def work() -> Outcome:
        question = find_question()
        if isinstance(question, Outcome):
            return question
        answer = load_check(name)(question)
        answers[name] = answer
        if answer.shut:
            return Outcome("lets nobody in: %s" % answer.shut, answer.doubts)
        if not answer.message:
            return Outcome("nothing to ask on this machine", answer.doubts, skipped=True)
        return Outcome(answer.message, answer.doubts)

    return work


def _conclude(context: Context, answers: Dict[str, Answer]) -> Outcome:
    """The verdict after a refusal. If another SSH server lets the admin in, it is a warning."""
    from lightinit.login import SERVERS

    asked = {SERVERS[name] for name, each in answers.items() if name in SERVERS and each.was_asked}
    shut = {SERVERS[name]: each for name, each in reversed(list(answers.items())) if each.shut}
    others = sorted(asked - set(shut))
    if others:
        warnings = ["%s lets nobody in: %s; %s" % (at, shut[at].shut, shut[at].hint) for at in shut]
        return Outcome("%s lets the admin in" % " and ".join(others), tuple(warnings))
    name = getattr(context.instance and context.instance.admin, "name", "")
    first = next(each for each in answers.values() if each.shut)
    raise ProvisioningError("nobody could log in", user=name, why=first.shut, hint=first.hint)


def _find_question(context: Context) -> Union[Question, Outcome]:
    from lightinit.login.admin import make_question

    instance, has_rules = _with_cloud_config(context)
    if instance is None or instance.admin is None:
        return Outcome("no admin account asked for", skipped=True)
    modules = module_list.listed(context)
    privileges = "none"
    if USERS_MODULE in modules and has_rules:
        privileges = str(module_list.settings_of(context, USERS_MODULE).get("privileges", "none"))
    question = make_question(
        context.system, instance, instance.admin, KEYS_MODULE in modules, privileges
    )
    if question is not None:
        return question
    name = instance.admin.name
    if USERS_MODULE in modules:
        return MISSING
    return Outcome("no account %s, and none is to be made" % name, skipped=True)


def _conclude_missing(context: Context) -> Outcome:
    """The verdict where the admin's account is not there: something has removed it since it was
    made. If somebody else could log in, it is a warning.
    """
    from lightinit.login.admin import find_other

    name = getattr(context.instance and context.instance.admin, "name", "")
    other = find_other(context.system)
    if other is not None:
        return Outcome("%s could log in" % other, ("the account %s does not exist" % name,))
    raise ProvisioningError(
        "nobody could log in",
        user=name,
        why="there is no such account, and no other one has a key or a password",
        hint="look for what removes it: bootcmd, hooks, a module of the image, or scripts with"
        " before_ready",
    )


def _with_cloud_config(context: Context) -> Tuple[Optional[Instance], bool]:
    """The instance with an admin as its cloud-config wants it, and whether the admin is to become
    root.
    """
    instance = context.instance
    given = find_cloud_config(context)
    if instance is None or instance.admin is None or given is None:
        return instance, True
    from lightinit.accounts.given.logins import find_roles, lay_over, read_logins

    logins = read_logins(given.values)
    if logins is None:
        return instance, True
    wish = lay_over(instance, logins)
    of_admin = find_roles(logins.accounts, instance.admin.name).admin
    is_to_be_root = of_admin is None or of_admin.sudo != ()
    if wish is None:
        return instance, is_to_be_root
    return instance._replace(admin=wish.admin), is_to_be_root
