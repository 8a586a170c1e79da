"""Runs the commands of the emulator, ``lightinit-emulator``. Knows no protocol."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from typing import Any, Callable, Dict, List, NoReturn, Optional

from lightinit.emulator import platforms
from lightinit.emulator.errors import EmulatorError, ScenarioError
from lightinit.emulator.grammar import FREE, build_parser
from lightinit.emulator.host_side.guest_side import print_pool, write_media
from lightinit.emulator.host_side.images import refuse_device
from lightinit.emulator.platform import SETTLE_S, Platform
from lightinit.emulator.scenario import list_names, load_scenario, make_scenario, read_json
from lightinit.emulator.seeds.command import write_seed


class _Interrupted(Exception):
    """A signal told the emulator to stop."""


def _write_atomically(path: str, text: str) -> None:
    """Write a file in one step: a reader sees all of it or nothing."""
    refuse_device(path)
    temporary = "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise EmulatorError(
            "cannot write the ready file %s: %s" % (path, error.strerror)
        ) from error


def _read_instance(path: Optional[str]) -> Dict[str, Any]:
    if path is None:
        return {}
    data = read_json(path)
    if not isinstance(data, dict):
        raise ScenarioError(
            path,
            [
                "must be a JSON object with parts of the VM's metadata, such as "
                '{"compute": {"name": "vm1"}} on Azure'
            ],
        )
    return data


def _make_hook(command: Optional[str]) -> Optional[Callable[[], None]]:
    """Return a function that runs the command of --on-pool-ready, or None without a command.

    The command's output goes to standard error: the first line on standard output is the JSON.
    """
    if command is None:
        return None
    words = ["sh", "-c", command]

    def run() -> None:
        status = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        ).returncode
        if status:
            raise EmulatorError("the command of --on-pool-ready failed with status %d" % status)

    return run


def _stop(number: int, frame: object) -> NoReturn:
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise _Interrupted


def _allow_many_files() -> None:
    """Raise the limit of open files: each connection is one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _open_azure(options: argparse.Namespace) -> Platform:
    return Platform(
        options.scenario,
        _read_instance(options.instance),
        options.latency_ms / 1000,
        options.wireserver or FREE,
        options.imds,
        options.log,
        options.certificates,
        _make_hook(options.on_pool_ready),
        options.host_plugin,
    )


def _describe_azure(platform: Platform) -> Dict[str, Any]:
    shown: Dict[str, Any] = {"wireserver": platform.wireserver, "imds": platform.imds}
    if platform.host_plugin:
        shown["host_plugin"] = platform.host_plugin
    return dict(shown, scenario=platform.scenario.name, thumbprints=platform.thumbprints)


def _open(options: argparse.Namespace) -> Any:
    misfits = platforms.find_misfits(options)
    if misfits:
        raise EmulatorError(
            "--platform %s has no %s" % (options.platform, " and no ".join(misfits))
        )
    if options.platform == "azure":
        return _open_azure(options)
    return platforms.PLATFORMS[options.platform](options, _read_instance(options.instance))


def _run(options: argparse.Namespace) -> int:
    _allow_many_files()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, _stop)
    platform: Any = None
    try:
        platform = _open(options)
        platform.start()
        if options.platform == "azure":
            shown = _describe_azure(platform)
        else:
            shown = platforms.describe(options, platform)
        line = json.dumps(dict(shown, pid=os.getpid())) + "\n"
        if options.ready_file:
            _write_atomically(options.ready_file, line)
        sys.stdout.write(line)
        sys.stdout.flush()
        platform.wait_for(lambda it: options.once and it.is_provisioned, None)
        platform.wait_for(
            lambda it: it.in_flight == 0, SETTLE_S
        )  # so that the agent gets its answer
    except _Interrupted:
        pass
    finally:
        if platform is not None:
            platform.close()
    return 0


def _list_scenarios(form: str) -> int:
    scenarios = [load_scenario(name) for name in list_names()]
    if form == "json":
        shown = [
            {"name": it.name, "description": it.description, "expect": it.expect, "needs": it.needs}
            for it in scenarios
        ]
        print(json.dumps(shown, indent=2))
        return 0
    for it in scenarios:
        print("%s\n    %s" % (it.name, it.description))
    return 0


def _check(path: str) -> int:
    scenario = make_scenario(read_json(path), path)
    print("%s: scenario %r is valid" % (path, scenario.name))
    return 0


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; None means those of this process.

    Returns:
        the exit code: 0 success, 1 error (the message is on standard error), 2 wrong usage.
    """
    _open_standard_streams()
    try:
        try:
            return _run_command(arguments)
        finally:
            sys.stdout.flush()
    except EmulatorError as error:
        _complain(str(error))
    except BrokenPipeError:  # nobody reads the output any more
        _drop_output()
        return 0
    except OSError as error:
        _complain("cannot read or write: %s" % error)
        _drop_output()
    return 1


def _open_standard_streams() -> None:
    """Open those that are closed: else the next file would take their place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _complain(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write("lightinit-emulator: %s\n" % text.replace("\n", "\nlightinit-emulator: "))


def _drop_output() -> None:
    """Drop what is still to be printed: else Python would print an error at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def _run_command(arguments: Optional[List[str]]) -> int:
    """Run the command line. Returns the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command == "run":
        return _run(options)
    if options.command == "scenarios":
        return _list_scenarios(options.format)
    if options.command == "check":
        return _check(options.file)
    if options.command == "media":
        return write_media(options)
    if options.command == "seed":
        return write_seed(options)
    if options.command == "kvp":
        return print_pool(options)
    parser.print_help()
    return 2
