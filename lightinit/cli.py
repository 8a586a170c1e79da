"""The command line: what there is to say (:mod:`lightinit.grammar`), wired to what does it, and the
exit codes.

This is also the outermost edge: an exception that nobody expected is logged, reported to the
platform if a boot was under way, and ends in exit code 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any, Callable, Dict, List, Optional

from lightinit import settings as settings_loader
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
from lightinit.ini import Problem
from lightinit.registry import datasource_schema, module_schema
from lightinit.settings import Settings
from lightinit.state import LOCK

LOG = logging.getLogger("lightinit.cli")


def main(argv: Optional[List[str]] = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; the process's own by default.

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
        # The reader had enough. Without this the exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK


# -- commands that provision
# ------------------------------------------------------------------------------------------


def run_boot(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit boot``."""
    from lightinit import boot

    def work(context: Any) -> int:
        return EXIT_FAILED if boot.boot(context) == "error" else EXIT_OK

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
    """What every command that changes the machine has in common: permission, lock, log, and the
    outermost edge.
    """
    from lightinit.boot import make_context
    from lightinit.state import Timeline

    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can provision this machine",
            EXIT_NO_PERMISSION,
            command=command,
            hint="run as root, or try it out with --root DIR",
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
            "unexpected error, a bug of lightinit's: %s: %s",
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
    """The settings; the defaults if loading them fails in a way that nobody thought of: a VM is not
    lost for that.
    """
    try:
        return load_settings(system)
    except Exception as error:
        problem = Problem(
            settings_loader.FOLDER,
            0,
            "cannot be loaded: %s: %s; defaults are used" % (type(error).__name__, error),
        )
        return settings_loader.resolve([], [problem], datasource_schema, module_schema)


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
        LOG.critical("and it could not be reported: %s", second, exc_info=True)
    try:
        finish(context, ran=True)
    except Exception as second:
        LOG.critical("and it could not be kept: %s", second, exc_info=True)


# -- commands that look
# -----------------------------------------------------------------------------------------------


def show_status(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit status``."""
    from lightinit.commands import status

    def progress(found: Dict[str, Any]) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(
                "status: %s%s\n"
                % (found["status"], ", stage " + found["stage"] if found["stage"] else "")
            )

    found = (
        status.wait_for_status(system, arguments.timeout, arguments.start_timeout, progress)
        if arguments.wait
        else status.current_status(system)
    )
    show(
        status.as_json(found)
        if arguments.format == "json"
        else status.as_text(found, arguments.long)
    )
    return int(found["exit_code"])


def show_query(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit query``."""
    from lightinit.commands import query

    text = query.render(query.look_up(query.load(system, arguments.secrets), arguments.path))
    # What the platform said must not drive a terminal; a program that reads it gets it as it is.
    show("\n".join(map(log.printable, text.split("\n"))) if sys.stdout.isatty() else text)
    return EXIT_OK


def show_analysis(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit analyze``."""
    from lightinit.commands import analyze

    entries = analyze.load(system)
    views: Dict[str, Callable[[Any], str]] = {"blame": analyze.blame, "show": analyze.show}
    show(analyze.as_json(entries) if arguments.format == "json" else views[arguments.view](entries))
    return EXIT_OK


def show_config(system: System, arguments: argparse.Namespace) -> int:
    """``lightinit config``."""
    from lightinit.commands import config

    settings = load_settings(system)
    show(config.as_json(settings) if arguments.format == "json" else config.as_text(settings))
    for problem in settings.problems:
        sys.stderr.write("lightinit: %s\n" % log.printable(str(problem)))
    return EXIT_FAILED if settings.problems else EXIT_OK


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

    ask = input if sys.stdin is not None and sys.stdin.isatty() else generalize.refuse_to_guess
    return _undo(
        system,
        "generalize",
        lambda: generalize.generalize(
            system, arguments.user, load_settings(system), arguments.yes, ask, _tell
        ),
    )


def _undo(system: System, command: str, work: Callable[[], int]) -> int:
    """What the commands have in common that take away what provisioning made: permission, lock, and
    no stopping half-way.
    """
    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can %s this machine" % command, EXIT_NO_PERMISSION, hint="run as root"
        )
    lock = Lock(system, LOCK)
    lock.take(command)
    # The connection may be gone before the work is, and nobody could come back: the host keys or
    # the account are gone.
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
        pass  # whoever listened is gone: that is no reason to stop half-way


def _complain(text: str) -> None:
    sys.stderr.write("lightinit: error: %s\n" % log.printable(text))


def show(text: str) -> None:
    """Print ``text`` on standard output, whatever that can encode: at boot there is no locale."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def load_settings(system: System) -> Settings:
    """The settings of a machine, with the keys of all its modules."""
    return settings_loader.load(system, datasource_schema, module_schema)


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
