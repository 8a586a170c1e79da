"""The login check, between the config stage and the report: can the admin log in from outside,
and become root?

Each check of :mod:`lightinit.login` is a step of its own. What it doubts is a warning. If one says
that nobody gets in, the step ``login`` fails, and the platform hears NotReady.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping, Sequence, Tuple, Union

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts.passwords import login_wished
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome, User
from lightinit.pipeline import Context, run_step
from lightinit.stages.selection import module_list
from lightinit.stages.selection.given import find_cloud_config, settle_instance
from lightinit.state import FORMER_FILES

if TYPE_CHECKING:
    from lightinit.login.question import Answer, Question

KIND = "check"
NAME = "login"
KEYS_MODULE, USERS_MODULE = "ssh_authorized_keys", "users"
MISSING = Outcome("there is no such account")
NOBODY = (
    "nobody may be able to log in: no admin is named, and no account has a key or a password; set"
    " `default_user` in [lightinit] of the image, or name an account in `users` of a cloud-config"
)
UNUSED = (
    "the platform's ssh keys (%d) open no account, since there is no default user; set"
    " `default_user` in [lightinit] of the image, or write `user: NAME` into a cloud-config, and"
    " `- default` into its `users` if it has that"
)


def run(context: Context) -> None:
    """Run the checks that the settings leave on, unless the boot has failed already. They leave no
    mark: what they say holds for the report that follows.
    """
    if context.instance is None or context.first_failure is not None:
        return
    unmarked = context.unmarked()
    instance = settle_instance(context.instance, find_cloud_config(context)) or context.instance
    answers: Dict[str, Answer] = {}
    found: List[Union[Question, Outcome]] = []

    def find_question() -> Union[Question, Outcome]:
        if not found:  # one for all checks: nothing changes between them
            found.append(_find_question(context, instance))
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
    _run_verdict(unmarked, instance, answers, found)
    if context.first_failure is None and context.system.exists(FORMER_FILES):
        context.system.remove(FORMER_FILES)


def _run_verdict(
    unmarked: Context,
    instance: Instance,
    answers: Mapping[str, Answer],
    found: Sequence[Union[Question, Outcome]],
) -> None:
    """The step ``login``, if there is anything to say: what the checks come to.

    Args:
        unmarked: the run, without marks.
        instance: its instance, settled.
        answers: of the checks, by name.
        found: the question that they got, or why there was none; empty if no check was asked.
    """
    wish = unmarked.settings["lightinit"]["login_check"]
    admin = instance.admin
    if admin is None:
        if wish != "no":
            _run_login_step(unmarked, lambda: _conclude_without_admin(unmarked, instance), False)
        return
    name = admin.name
    admin = getattr(found[0], "admin", admin) if found else admin  # with a cloud-config's keys
    is_required = wish == "yes" and _is_wanted(admin)
    if MISSING in found and wish != "no":
        _run_login_step(unmarked, lambda: _conclude_missing(unmarked, name), is_required)
        return
    question = next((each for each in found if not isinstance(each, Outcome)), None)
    if question is not None and any(answer.shut for answer in answers.values()):
        system = unmarked.system
        work = partial(_conclude_or_put_back, system, answers, question)
        _run_login_step(unmarked, work, is_required)


def _run_login_step(unmarked: Context, work: Callable[[], Outcome], required: bool) -> None:
    run_step(unmarked, KIND, NAME, Frequency.BOOT, work, required=required)


def _is_wanted(admin: User) -> bool:
    """Whether a login is asked for. The settings' default user may have neither a key nor a
    password: many machines have no need of a login, and run what their user data say.
    """
    return not admin.is_default or bool(admin.ssh_keys) or login_wished(admin) is True


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


def _conclude(answers: Mapping[str, Answer], name: str) -> Outcome:
    """The verdict after a refusal. If another SSH server lets the admin in, it is a warning."""
    from lightinit.login import SERVERS

    asked = {SERVERS[name] for name, each in answers.items() if name in SERVERS and each.was_asked}
    shut = {SERVERS[name]: each for name, each in reversed(list(answers.items())) if each.shut}
    others = sorted(asked - set(shut))
    if others:
        warnings = ["%s lets nobody in: %s; %s" % (at, shut[at].shut, shut[at].hint) for at in shut]
        return Outcome("%s lets the admin in" % " and ".join(others), tuple(warnings))
    first = next(each for each in answers.values() if each.shut)
    raise ProvisioningError("nobody could log in", user=name, why=first.shut, hint=first.hint)


def _conclude_or_put_back(
    system: System, answers: Mapping[str, Answer], question: Question
) -> Outcome:
    """The verdict after a refusal. If nobody gets in because of files that a cloud-config has
    replaced, they are as they were before.
    """
    try:
        return _conclude(answers, question.admin.name)
    except ProvisioningError as refusal:
        from lightinit.files import former

        files = former.list_former(system)
        if not files:
            raise
        instead = former.exchange(system, files)
        if any(_ask_again(question, each).shut for each in answers):
            former.exchange(system, instead)
            raise
        why = refusal.details["why"]
    told = ", ".join(each.path for each in files)
    warning = "with what `write_files` wrote, nobody could log in (%s): put back as before: %s"
    return Outcome("the admin gets in again", (warning % (why, told),))


def _ask_again(question: Question, name: str) -> Answer:
    from lightinit.login import load_check
    from lightinit.login.question import Answer as Given

    try:
        return load_check(name)(question)
    except ProvisioningError as error:
        return Given(shut=str(error))


def _find_question(context: Context, given: Instance) -> Union[Question, Outcome]:
    from lightinit.login.admin import make_question

    instance, has_rules = _with_cloud_config(context, given)
    if instance.admin is None:
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


def _conclude_missing(context: Context, name: str) -> Outcome:
    """The verdict where the admin's account is not there: something has removed it since it was
    made. If somebody else could log in, it is a warning.
    """
    from lightinit.login.admin import find_other

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


def _conclude_without_admin(context: Context, instance: Instance) -> Outcome:
    """The verdict where nobody names an admin."""
    from lightinit.login.admin import find_other

    other = find_other(context.system)
    warnings = []
    if instance.public_keys and not _open_an_account(context, instance):
        warnings.append(UNUSED % len(instance.public_keys))
    if other is not None:
        return Outcome("no admin is named; %s could log in" % other, tuple(warnings))
    warnings.insert(0, NOBODY)
    return Outcome("no admin is named", tuple(warnings))


def _open_an_account(context: Context, instance: Instance) -> bool:
    """Whether the platform's keys open an account although there is no admin: that of root."""
    from lightinit.accounts.given.keys import list_given_keys
    from lightinit.accounts.given.logins import read_logins

    given = find_cloud_config(context)
    logins = given and read_logins(given.values)
    if not logins:
        return False
    opened = [each.keys for each in list_given_keys(instance, logins.accounts) if not each.options]
    return any(set(instance.public_keys) <= set(keys) for keys in opened)


def _with_cloud_config(context: Context, instance: Instance) -> Tuple[Instance, bool]:
    """The instance with an admin as its cloud-config wants it, and whether the admin is to become
    root.

    Args:
        context: the run.
        instance: its instance, settled.
    """
    given = find_cloud_config(context)
    if instance.admin is None or given is None:
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
