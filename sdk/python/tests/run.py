"""Runs all tests of the Python SDK, or the modules that are named. The last line is `N passed, N failed`.

Needs python3 3.11 or newer with `websockets`, and node for the tests against a real gateway.
"""
from __future__ import annotations

import importlib.util
import logging
import pathlib
import sys
import unittest

FOLDER = pathlib.Path(__file__).parent
sys.path[:0] = [str(FOLDER.parent / "src"), str(FOLDER)]
sys.dont_write_bytecode = True


def main(names: list[str]) -> int:
    """Returns the exit status."""
    if importlib.util.find_spec("websockets") is None:
        print(f"{sys.executable} has no websockets: pip install websockets, or apt-get install python3-websockets")
        return 1
    # unittest turns on asyncio's debug mode, which reports every slow step.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    logging.getLogger("countersign").addHandler(logging.NullHandler())
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(str(FOLDER))
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    # A test with several failed subtests is one failure.
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    failed += len(result.unexpectedSuccesses)
    print(f"{max(0, result.testsRun - failed - len(result.skipped))} passed, {failed} failed", flush=True)
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
