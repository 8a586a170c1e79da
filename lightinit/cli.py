"""The command line: runs the commands of :mod:`lightinit.grammar` and returns the exit codes. Those
that do not provision have a file each in ``commands/``.

Unexpected exceptions end here: they are logged, reported to the platform if provisioning had
begun, and the exit code is 1.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional

from lightinit.errors import (
    EXIT_FAILED,
    EXIT_NO_PERMISSION,
    EXIT_OK,
    EXIT_USAGE,
    LightinitError,
    RefusedError,
)
from lightinit.host import log
from lightinit.host.console import Console
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.libraries import is_signal
from lightinit.registry import (
    datasource_schema,
    load_settings,
    module_schema,
    shipped_modules,
)
from lightinit.settings import Settings, nearest
from lightinit.settings import files as settings_files
from lightinit.settings.ini import Problem
from lightinit.state import LOCK

LOG = logging.getLogger("lightinit.cli")
# glibc's usual size. musl gives a thread 128 KiB, in which a document of many levels or a library's
# import overflows the stack.
THREAD_STACK_BYTES = 8 * 1024 * 1024
# lightinit.host.init.power.KEY, without its import.
POWER = "power"


def main(argv: Optional[List[str]] = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None means those of this process.

    Returns:
        The exit code.
    """
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        if not arguments.command:
            return EXIT_USAGE
        if not os.path.isdir(getattr(arguments, "root", "/")):
            raise RefusedError(
                "no such root", EXIT_USAGE, root=arguments.root, hint="--root takes a directory"
            )
        return _run(System(getattr(arguments, "root", "/")), arguments)
    except RefusedError as error:
        _tell(str(error))
        return error.exit_code
    except LightinitError as error:
        _tell("error: " + str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parse(argv: List[str]) -> Any:
    """The arguments; without a command, the help is printed."""
    # What init systems start. argparse and its parser would cost more than many a module.
    if argv in (["boot"], ["boot", "--background"]):
        return SimpleNamespace(command="boot", background=len(argv) > 1)
    if len(argv) == 3 and argv[:2] == ["boot", "--root"] and argv[2][:1] != "-":
        return SimpleNamespace(command="boot", root=argv[2], background=False)
    from lightinit.commands import terminal
    from lightinit.grammar import make_parser

    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
    except BrokenPipeError:  # nobody reads the help any more
        terminal.stop_printing()
        raise SystemExit(EXIT_OK) from None
    except OSError as error:
        raise terminal.unwritable(error) from None
    if not arguments.command:
        with contextlib.suppress(OSError):
            parser.print_help(sys.stderr)
    return arguments


def _tell(text: str) -> None:
    """Print an error. A boot may not wait for somebody to read it."""
    try:
        Console(sys.stderr).write(("lightinit: %s\n" % log.printable(text)).encode("utf-8"))
    except (OSError, ValueError):
        pass


def _run(system: System, arguments: Any) -> int:
    if arguments.command in PROVISIONING:
        return PROVISIONING[arguments.command](system, arguments)
    # A boot needs no other command, so each is imported only when it is asked for.
    command = importlib.import_module("lightinit.commands." + arguments.command)
    code: int = command.run(system, arguments)
    return code


def run_boot(system: System, arguments: Any) -> int:
    """``lightinit boot``."""
    from lightinit import boot

    def work(context: Any, lock: Lock) -> int:
        if arguments.background:
            context.split = lambda: _split(system, lock)
        if boot.boot(context) == "error":
            return EXIT_FAILED
        return EXIT_OK

    return _provision(system, "boot", work)


def _split(system: System, lock: Lock) -> bool:
    """Let this command end, and the rest go on. Returns whether this is the process that does."""
    from lightinit.host.init import background

    first = os.getpid()
    goes_on = background.split()
    if goes_on:
        lock.note("boot, after Ready")
        if os.getpid() != first:
            system.durability.go_on()
    else:
        system.remembered.clear()  # what a module has asked for comes after the rest
    return goes_on


def run_stage(system: System, arguments: Any) -> int:
    """``lightinit stage NAME``."""
    from lightinit import single

    return _provision(
        system,
        "stage " + arguments.name,
        lambda context, _: single.stage(context, arguments.name, arguments.force),
    )


def run_module(system: System, arguments: Any) -> int:
    """``lightinit module NAME``."""
    from lightinit import single

    if "." not in arguments.name and arguments.name not in shipped_modules():
        near = nearest(arguments.name, shipped_modules())
        hint = "the shipped ones are: " + ", ".join(shipped_modules())
        if near:
            hint = "did you mean %s?" % near
        raise RefusedError("no such module", EXIT_USAGE, module=arguments.name, hint=hint)

    return _provision(
        system,
        "module " + arguments.name,
        lambda context, _: single.module(context, arguments.name, arguments.force),
    )


def _provision(system: System, command: str, work: Callable[[Any, Lock], int]) -> int:
    """Run a command that provisions: check permission, take the lock, log, catch every error."""
    import threading

    from lightinit.boot import make_context
    from lightinit.state import Timeline

    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can provision this machine",
            EXIT_NO_PERMISSION,
            command=command,
            hint="run as root, or test with --root DIR",
        )
    from lightinit.host.init.inherited import leave_behind

    lifted = leave_behind()
    threading.stack_size(THREAD_STACK_BYTES)
    timeline = Timeline(system.clock)
    lock = Lock(system, LOCK)
    lock.take(command)
    settings = _settings_or_defaults(system)
    _start_log(system, settings, timeline.began_s, lifted)
    context = make_context(system, settings, timeline)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _stop(context, number))
    try:
        code = work(context, lock)
        if POWER in system.remembered:
            from lightinit.ending.power import run

            run(context)
        return code
    except RefusedError:
        raise
    except BaseException as error:  # a panic of a library is no Exception
        if is_signal(error):
            raise
        LOG.critical(
            "unexpected error, a bug in lightinit: %s: %s",
            type(error).__name__,
            error,
            exc_info=True,
        )
        _report_bug(context, error)
        return EXIT_FAILED
    finally:
        log.stop()
        lock.release()


def _start_log(system: System, settings: Settings, began_s: float, lifted: List[str]) -> None:
    options = settings["lightinit"]
    log.start(system, options["log_level"], options["log_file"], began_s=began_s)
    if lifted:
        LOG.info("lightinit was started with low limits, which are lifted: %s", ", ".join(lifted))


def _settings_or_defaults(system: System) -> Settings:
    """Return the settings, or the defaults after an unexpected error: the VM must still boot."""
    try:
        return load_settings(system)
    except Exception as error:
        problem = Problem(
            settings_files.FOLDER,
            0,
            "cannot be loaded: %s: %s; defaults are used" % (type(error).__name__, error),
        )
        return settings_files.resolve([], [problem], datasource_schema, module_schema)


def _stop(context: Any, number: int) -> None:
    if context.is_going_down:
        return
    LOG.error("stopped by signal %d; the next boot resumes here", number)
    context.stop(number)


def _report_bug(context: Any, error: BaseException) -> None:
    from lightinit import boot
    from lightinit.pipeline import Step, StepResult
    from lightinit.result import finish
    from lightinit.stages import last_resort

    told = last_resort.bug(error)
    try:
        begun = [step for step in context.steps if step.result is StepResult.RUNNING]
        for step in begun:
            step.result, step.error = StepResult.FAILED, told
        if not begun:
            context.steps.append(Step("stage", "boot", StepResult.FAILED, error=told))
        if context.platform_known:
            boot.report_at_last(context)
        elif context.platform_known is None:
            _report_anew(context, told)
    except LightinitError as second:
        LOG.critical("the unexpected error could not be reported: %s", second)
    except Exception as second:
        LOG.critical("the unexpected error could not be reported: %s", second, exc_info=True)
        _report_anew(context, told)
    try:
        finish(context, ran=True)
    except Exception as second:
        LOG.critical("the result could not be saved: %s", second, exc_info=True)


def _report_anew(context: Any, told: LightinitError) -> None:
    """Report with nothing of what this run has made: that may be what is broken."""
    from lightinit.stages import last_resort

    try:
        LOG.info("%s", last_resort.report(context.system, told) or "reported as not ready")
    except Exception as error:
        LOG.critical("nor by the last resort: %s", error, exc_info=True)


PROVISIONING: Dict[str, Callable[[System, Any], int]] = {
    "boot": run_boot,
    "stage": run_stage,
    "module": run_module,
}
