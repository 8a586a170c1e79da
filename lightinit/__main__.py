"""The entry of ``lightinit``, of ``python3 -m lightinit``, and of ``python3 -I -S -B
.../lightinit/__main__.py``.

Boot scripts use the last form. It starts in half the time: it looks at site-packages and imports
modules only if there is something to do. This file survives whatever can be wrong with the others:
if a boot ends in an exception that nobody expected, the platform hears of it.
"""

import sys

sys.dont_write_bytecode = True


def pass_over_damaged_bytecode():  # type: ignore[no-untyped-def]
    """Let a damaged .pyc file count as none.

    A power cut or a full disk may leave one that is cut short. Python itself passes over one that
    ends within its header, but otherwise the import raises EOFError, at each start, for ever.
    """
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    read = loader.get_code

    def get_code(self, name):  # type: ignore[no-untyped-def]
        try:
            return read(self, name)
        except (EOFError, ImportError, ValueError, TypeError):  # what marshal.loads raises
            path = self.get_filename(name)
            return self.source_to_code(self.get_data(path), path)

    loader.get_code = get_code


def main():  # type: ignore[no-untyped-def]
    """Run one command. Returns the exit code."""
    root = None
    try:
        pass_over_damaged_bytecode()
        from lightinit import quick

        root = quick.root_of(sys.argv[1:])
        if root is not None:
            instance = quick.provisioned(root)
            if instance is not None:
                quick.tell("lightinit: instance %s is provisioned: nothing to do\n" % instance)
                sys.stderr = None
                return 0
        import gc

        # An import makes thousands of objects and no cycles. Python would look for some after 700.
        gc.set_threshold(50000)
        from lightinit import libraries

        if sys.flags.no_site:
            libraries.make_importable(quick.tell)
        _open_standard_streams()
        if root is not None:
            import warnings

            # Python would print a library's warning to a console that perhaps nobody reads.
            warnings.simplefilter("ignore")
        from lightinit import cli

        code = cli.main()
    except SystemExit as error:
        code = 1
        if error.code is None or isinstance(error.code, int):
            code = error.code or 0
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # a panic of a library is no Exception
        code = _report(error, root)
    import os

    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass
    # Skip the interpreter's shutdown: it costs time, and a thread with a request that hangs could
    # block or crash it.
    return os._exit(code)


def _open_standard_streams():  # type: ignore[no-untyped-def]
    import os

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        # An init system may start lightinit with these closed. The next file to be opened would
        # take their place, and output would be written to it.
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _report(error, root):  # type: ignore[no-untyped-def]
    """Tell of an exception that nobody expected: its traceback to the console and, if it ended the
    boot of ``root``, its text to the platform. Returns the exit code.
    """
    import traceback

    from lightinit import quick

    quick.tell(traceback.format_exc())
    if root is None:
        return 1
    try:
        from lightinit.host.system import System
        from lightinit.stages import last_resort

        told = last_resort.report(System(root or "/"), last_resort.bug(error))
        quick.tell("lightinit: %s\n" % (told or "reported as not ready"))
    except Exception as second:
        quick.tell("lightinit: not reported: %s\n" % second)
    return 1


if __name__ == "__main__":
    if not __package__:  # run as a file: import the package from this file's folder
        sys.path.insert(0, (__file__.rpartition("/")[0] or ".") + "/..")
    sys.exit(main())
