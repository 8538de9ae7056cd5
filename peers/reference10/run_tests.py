"""Runs this peer's unit tests and leaves a JUnit file: `python3 run_tests.py REPORT.xml`.

The standard library's unittest writes no JUnit; the platform reads nothing else of a foreign tool.
"""

import pathlib
import sys
import time
import unittest
from xml.etree import ElementTree


class Recorder(unittest.TextTestResult):
    """Keeps how each test ended and how long it took (seconds)."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.cases = []
        self._started = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._started = time.monotonic()
        self.cases.append({"id": test.id(), "seconds": 0.0, "why": None})

    def stopTest(self, test):
        self.cases[-1]["seconds"] = time.monotonic() - self._started
        super().stopTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.cases[-1]["why"] = self.failures[-1][1]

    def addError(self, test, err):
        super().addError(test, err)
        # An error of a whole module or class comes without a test.
        if not self.cases or self.cases[-1]["id"] != test.id():
            self.cases.append({"id": test.id(), "seconds": 0.0, "why": None})
        self.cases[-1]["why"] = self.errors[-1][1]


def report(cases):
    """Returns the JUnit document of `cases` as bytes."""
    failures = sum(1 for case in cases if case["why"])
    counts = {"tests": str(len(cases)), "failures": str(failures)}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "reference10", **counts})
    for case in cases:
        group, _, name = case["id"].rpartition(".")
        attributes = {"classname": group, "name": name, "time": f"{case['seconds']:.3f}"}
        element = ElementTree.SubElement(suite, "testcase", attributes)
        if case["why"]:
            ElementTree.SubElement(element, "failure", {"message": "failed"}).text = case["why"]
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def main():
    """Exit code 0 where at least one test ran and all passed, else 1."""
    if len(sys.argv) != 2:
        sys.exit("usage: run_tests.py REPORT.xml")
    here = pathlib.Path(__file__).resolve().parent
    tests = unittest.defaultTestLoader.discover(str(here))
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(tests)
    target = pathlib.Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(report(result.cases))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
