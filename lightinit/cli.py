"""The command line: runs the commands of :mod:`lightinit.grammar` and returns the exit codes.

Unexpected exceptions end here: they are logged, reported to the platform if provisioning had
begun, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any, Callable, Dict, List, Optional

from lightinit.errors import (
    EXIT_FAILED,
    EXIT_NO_PERMISSION,
    EXIT_OK,
    EXIT_USAGE,
    LightinitError,
    ProvisioningError,
    RefusedError,
)
from lightinit.grammar import make_parser
from lightinit.host import log
from lightinit.host.lock import Lock
from lightinit.host.system import System
from lightinit.registry import datasource_schema, module_schema
from lightinit.settings import Settings
from lightinit.settings import files as settings_files
from lightinit.settings.ini import Problem
from lightinit.state import LOCK

LOG = logging.getLogger("lightinit.cli")


def main(argv: Optional[List[str]] = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None means those of this process.

    Returns:
        The exit code.
    """
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if not arguments.command:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    try:
        if not os.path.isdir(getattr(arguments, "root", "/")):
            raise RefusedError(
                "no such root", EXIT_USAGE, root=arguments.root, hint="--root takes a directory"
            )
        return COMMANDS[arguments.command](System(getattr(arguments, "root", "/")), arguments)
    except RefusedError as error:
        sys.stderr.write("lightinit: %s\n" % log.printable(str(error)))
        return error.exit_code
    except LightinitError as error:
        _complain(str(error))
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader has closed the pipe. Without this, Python would print an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK


# -- commands that provision --


def run_boot(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit boot``."""
    from lightinit import boot

    def work(context: Any) -> int:
        if boot.boot(context) == "error":
            return EXIT_FAILED
        return EXIT_OK

    return _provision(system, "boot", work)


def run_stage(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit stage NAME``."""
    from lightinit import single

    return _provision(
        system,
        "stage " + arguments.name,
        lambda context: single.stage(context, arguments.name, arguments.force),
    )


def run_module(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit module NAME``."""
    from lightinit import single

    return _provision(
        system,
        "module " + arguments.name,
        lambda context: single.module(context, arguments.name, arguments.force),
    )


def _provision(system: System, command: str, work: Callable[[Any], int]) -> int:
    """Run a command that provisions: check permission, take the lock, log, catch every error."""
    from lightinit.boot import make_context
    from lightinit.state import Timeline

    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can provision this machine",
            EXIT_NO_PERMISSION,
            command=command,
            hint="run as root, or test with --root DIR",
        )
    os.umask(0o022)
    timeline = Timeline(system.clock)
    lock = Lock(system, LOCK)
    lock.take(command)
    settings = _settings_or_defaults(system)
    log.start(
        system,
        settings["lightinit"]["log_level"],
        settings["lightinit"]["log_file"],
        began_s=timeline.began_s,
    )
    context = make_context(system, settings, timeline)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return work(context)
    except RefusedError:
        raise
    except Exception as error:
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


def _stop(number: int, frame: Any) -> None:
    from lightinit.pipeline import Stopped

    LOG.error("stopped by signal %d; the next boot resumes here", number)
    raise Stopped(128 + number)


def _report_bug(context: Any, error: Exception) -> None:
    from lightinit import boot
    from lightinit.pipeline import Step
    from lightinit.result import finish

    told = ProvisioningError(
        "unexpected error",
        error=type(error).__name__,
        said=str(error)[:200],
        hint="please report it with /var/log/lightinit.log",
    )
    try:
        begun = [step for step in context.steps if step.result == "running"]
        for step in begun:
            step.result, step.error = "failed", told
        if not begun:
            context.steps.append(Step("stage", "boot", "failed", error=told))
        if context.platform_known:
            boot.report_at_last(context)
    except Exception as second:
        LOG.critical("the unexpected error could not be reported: %s", second, exc_info=True)
    try:
        finish(context, ran=True)
    except Exception as second:
        LOG.critical("the result could not be saved: %s", second, exc_info=True)


# -- other commands --


def show_status(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit status``."""
    from lightinit.commands import status

    def progress(found: Dict[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        line = "status: %s" % found["status"]
        if found["stage"]:
            line += ", stage " + found["stage"]
        sys.stderr.write(line + "\n")

    if arguments.wait:
        found = status.wait_for_status(system, arguments.timeout, arguments.start_timeout, progress)
    else:
        found = status.current_status(system)
    if arguments.format == "json":
        show(status.as_json(found))
    else:
        show(status.as_text(found, arguments.long))
    return int(found["exit_code"])


def show_query(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit query``."""
    from lightinit.commands import query

    text = query.render(query.look_up(query.load(system, arguments.secrets), arguments.path))
    if sys.stdout.isatty():
        # The platform's data must not send control sequences to a terminal. Programs get them
        # unchanged.
        text = "\n".join(map(log.printable, text.split("\n")))
    show(text)
    return EXIT_OK


def show_analysis(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit analyze``."""
    from lightinit.commands import analyze

    entries = analyze.load(system)
    views: Dict[str, Callable[[Any], str]] = {"blame": analyze.blame, "show": analyze.show}
    if arguments.format == "json":
        show(analyze.as_json(entries))
    else:
        show(views[arguments.view](entries))
    return EXIT_OK


def show_config(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit config``."""
    from lightinit.commands import config

    settings = load_settings(system)
    if arguments.format == "json":
        show(config.as_json(settings))
    else:
        show(config.as_text(settings))
    for problem in settings.problems:
        sys.stderr.write("lightinit: %s\n" % log.printable(str(problem)))
    if settings.problems:
        return EXIT_FAILED
    return EXIT_OK


def run_clean(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit clean``."""
    from lightinit.commands import clean

    if arguments.reboot:
        clean.check_reboot(system)

    steps = clean.choose_steps(
        arguments.logs, arguments.machine_id, arguments.ssh_host_keys, arguments.user
    )
    code = _undo(
        system, "clean", lambda: clean.clean(system, steps, load_settings(system), _tell, _complain)
    )
    if arguments.reboot and code == EXIT_OK:
        os.sync()
        clean.reboot(system)
    return code


def run_generalize(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit generalize``."""
    from lightinit.commands import generalize

    ask: Callable[[str], str] = generalize.refuse_to_guess
    if sys.stdin is not None and sys.stdin.isatty():
        ask = input
    return _undo(
        system,
        "generalize",
        lambda: generalize.generalize(
            system, arguments.user, load_settings(system), arguments.yes, ask, _tell
        ),
    )


def _undo(system: System, command: str, work: Callable[[], int]) -> int:
    """Run a command that removes things: check permission, take the lock, ignore SIGHUP."""
    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can %s this machine" % command, EXIT_NO_PERMISSION, hint="run as root"
        )
    lock = Lock(system, LOCK)
    lock.take(command)
    # The SSH connection may end before the work does. Then the work must go on: with host keys or
    # accounts half removed, nobody could log in again.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return work()
    finally:
        signal.signal(signal.SIGHUP, before)
        lock.release()


def _tell(text: str) -> None:
    try:
        show(text)
    except OSError:
        pass  # nobody reads the output any more; the work must go on


def _complain(text: str) -> None:
    sys.stderr.write("lightinit: error: %s\n" % log.printable(text))


def show(text: str) -> None:
    """Print ``text`` on standard output, with escapes where needed: at boot there is no locale."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def load_settings(system: System) -> Settings:
    """Return the settings of a machine, with the keys of all its modules."""
    return settings_files.load(system, datasource_schema, module_schema)


COMMANDS: Dict[str, Callable[[System, argparse.Namespace], int]] = {
    "boot": run_boot,
    "stage": run_stage,
    "module": run_module,
    "status": show_status,
    "query": show_query,
    "analyze": show_analysis,
    "config": show_config,
    "clean": run_clean,
    "generalize": run_generalize,
}
