"""Adds up JUnit files and prints the closing line of ./test. Exit 1 when anything failed.

Usage: count_results.py DIRECTORY FAILED_STEPS
FAILED_STEPS counts steps that failed as a whole; one that left no failed test in a file counts as one failure.
"""
import glob
import sys
import xml.etree.ElementTree as ElementTree


def skip_reason(output: str) -> str:
    """GoogleTest prints the reason on the line after "FILE:LINE: Skipped"."""
    lines = output.splitlines()
    for at, line in enumerate(lines[:-1]):
        if line.rstrip().endswith(": Skipped"):
            return lines[at + 1].strip()
    return "no reason was printed"


def main() -> int:
    directory, failed_steps = sys.argv[1], int(sys.argv[2])
    passed = failed = skipped = 0
    for path in sorted(glob.glob(f"{directory}/*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname', '')}.{case.get('name', '')}"
            if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
                failed += 1
                print(f"FAILED  {path.rsplit('/', 1)[-1]}: {name}")
            elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                skipped += 1
                reason = case.find("skipped")
                text = (reason.get("message") or "") if reason is not None else ""
                output = case.find("system-out")
                if output is not None and output.text:
                    text = skip_reason(output.text)
                print(f"SKIPPED {path.rsplit('/', 1)[-1]}: {name}: {text}")
            else:
                passed += 1
    if failed_steps and not failed:
        failed = failed_steps
        print("a step failed outside its tests; see above")
    if passed == 0:
        print("no test ran")
        failed = max(failed, 1)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
