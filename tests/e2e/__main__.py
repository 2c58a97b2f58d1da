"""Runs the end-to-end tests: python3 -m tests.e2e [--junit FILE] [unittest names].

The binary under test is $INTHUB_BINARY, or build/release/inthub.
"""
import pathlib
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree


class JunitResult(unittest.TextTestResult):
    """Keeps each test's outcome and duration, for a JUnit file."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.cases = []

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def _keep(self, test, kind=None, message=""):
        self.cases.append((test.id(), time.monotonic() - getattr(self, "began", time.monotonic()), kind, message))

    def addSuccess(self, test):
        super().addSuccess(test)
        self._keep(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._keep(test, "failure", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._keep(test, "error", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._keep(test, "skipped", reason)


def main() -> int:
    arguments = sys.argv[1:]
    junit = None
    if arguments[:1] == ["--junit"]:
        junit, arguments = pathlib.Path(arguments[1]), arguments[2:]
    here = pathlib.Path(__file__).parent
    loader = unittest.TestLoader()
    suite = (loader.loadTestsFromNames([f"tests.e2e.{name}" for name in arguments]) if arguments
             else loader.discover(str(here), pattern="*_test.py", top_level_dir=str(here.parents[1])))
    result = unittest.TextTestRunner(resultclass=JunitResult, verbosity=2).run(suite)
    if junit:
        root = ElementTree.Element("testsuite", name="e2e", tests=str(len(result.cases)))
        for name, seconds, kind, message in result.cases:
            classname, _, short = name.rpartition(".")
            case = ElementTree.SubElement(root, "testcase", classname=classname, name=short, time=f"{seconds:.3f}")
            if kind:
                ElementTree.SubElement(case, kind, message=message.splitlines()[-1] if message else "").text = message
        ElementTree.ElementTree(root).write(junit, encoding="utf-8")
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
