"""The login check, between the config stage and the report: can the admin log in from outside,
and become root?

Each check of :mod:`lightinit.login` is a step of its own. What it doubts is a warning. If one says
that nobody gets in, the step ``login`` fails, and the platform hears NotReady.
"""

from __future__ import annotations

from typing import Callable, List, Union

from lightinit.errors import ProvisioningError
from lightinit.login.question import Answer, Question
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context, run_step
from lightinit.stages import config

KIND = "check"
NAME = "login"
KEYS_MODULE, USERS_MODULE = "ssh_authorized_keys", "users"


def run(context: Context) -> None:
    """Run the checks, unless the settings switch them off or the boot has failed already. They
    leave no mark: what they say holds for the report that follows.
    """
    wish = context.settings["lightinit"]["login_check"]
    if wish == "no" or context.instance is None or context.first_failure is not None:
        return
    from lightinit.login import CHECKS

    unmarked = context.unmarked()
    answers: List[Answer] = []
    for name in CHECKS:
        run_step(
            unmarked,
            KIND,
            name,
            Frequency.BOOT,
            _work_of(context, name, answers),
            required=False,
            isolate=True,
        )
    shut = [answer for answer in answers if answer.shut]
    if shut:
        run_step(
            unmarked,
            KIND,
            NAME,
            Frequency.BOOT,
            lambda: _conclude(context, shut[0]),
            required=wish == "yes",
        )


def _work_of(context: Context, name: str, answers: List[Answer]) -> Callable[[], Outcome]:
    from lightinit.login import load_check

    def work() -> Outcome:
        question = _find_question(context)
        if isinstance(question, Outcome):
            return question
        answer = load_check(name)(question)
        answers.append(answer)
        if answer.shut:
            return Outcome("lets nobody in: %s" % answer.shut, answer.doubts)
        if not answer.message:
            return Outcome("nothing to ask on this machine", answer.doubts, skipped=True)
        return Outcome(answer.message, answer.doubts)

    return work


def _conclude(context: Context, answer: Answer) -> Outcome:
    name = getattr(context.instance and context.instance.admin, "name", "")
    raise ProvisioningError("nobody could log in", user=name, why=answer.shut, hint=answer.hint)


def _find_question(context: Context) -> Union[Question, Outcome]:
    from lightinit.login.admin import make_question

    instance = context.instance
    if instance is None or instance.admin is None:
        return Outcome("no admin account asked for", skipped=True)
    modules = config.listed(context)
    privileges = "none"
    if USERS_MODULE in modules:
        privileges = str(config.settings_of(context, USERS_MODULE).get("privileges", "none"))
    question = make_question(
        context.system, instance, instance.admin, KEYS_MODULE in modules, privileges
    )
    if question is not None:
        return question
    name = instance.admin.name
    if USERS_MODULE in modules:
        return Outcome("no such account", ("the account %s does not exist" % name,))
    return Outcome("no account %s, and none is to be made" % name, skipped=True)
