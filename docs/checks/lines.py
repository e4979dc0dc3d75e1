#!/usr/bin/env python3
"""Counts lines of code without tests, comments and blanks: of the first edition's heart and of what replaced it.

    cargo install tokei
    docs/checks/lines.py
"""

import json
import pathlib
import re
import subprocess
import tempfile

FIRST_EDITION = "0177ed0"
STORE = "shared/src/store"
PARTS = {
    "posting, order of posting": (
        ["functions/adoption-distribution/src", "functions/adoption-sequencer/src", "shared/src/queue.rs",
         f"{STORE}/action.rs", f"{STORE}/task.rs", f"{STORE}/outstanding.rs", f"{STORE}/posted.rs", f"{STORE}/ladder.rs",
         f"{STORE}/whole.rs", f"{STORE}/holder.rs", f"{STORE}/chain.rs", f"{STORE}/journal.rs"],
        ["functions/adoption-distribution/src", "shared/domain/src/decide", "shared/domain/src/log"],
    ),
    "projections": (
        ["functions/ledger-stream/src", "shared/src/events.rs", f"{STORE}/outbox.rs"],
        ["functions/ledger-stream/src", "shared/domain/src/heads"],
    ),
    "audit": (["functions/ledger-audit/src"], ["functions/ledger-audit/src", "shared/domain/src/recalculate"]),
    "close and snapshots": (
        ["functions/contribution-expiry/src", "functions/daily-snapshot/src", "shared/src/closing.rs",
         f"{STORE}/close.rs", f"{STORE}/expiry.rs", f"{STORE}/snapshot.rs"],
        ["functions/contribution-expiry/src", "functions/daily-snapshot/src", "shared/domain/src/snapshot",
         "shared/store/src/dates", "shared/store/src/snapshots"],
    ),
    "the rest of the store": ([STORE], ["shared/store/src"]),
}
TESTS = re.compile(r"(^|/)(tests?|\w+_tests|testing)(\.rs$|/)")


def unpacked(revision, into):
    archive = subprocess.run(["git", "archive", revision], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "x", "-C", into], check=True, input=archive)
    return pathlib.Path(into)


def lines(root, places, counted):
    """The lines of code in these places that were not counted before."""
    with tempfile.TemporaryDirectory() as copies:
        for place in places:
            path = root / place
            for file in [path] if path.is_file() else sorted(path.rglob("*.rs")):
                name = str(file.relative_to(root))
                if name in counted or TESTS.search(name):
                    continue
                counted.add(name)
                code = re.split(r"\n#\[cfg\(test\)\]\nmod \w+ \{", file.read_text())[0]
                pathlib.Path(copies, name.replace("/", "_")).write_text(code)
        counts = json.loads(subprocess.run(["tokei", "-o", "json", copies], check=True, stdout=subprocess.PIPE).stdout)
        return counts.get("Rust", {"code": 0})["code"]


def main():
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as now:
        roots = [unpacked(FIRST_EDITION, first), unpacked("HEAD", now)]
        counted, totals = [set(), set()], [0, 0]
        print("| part | first edition | now |\n|---|---|---|")
        for part, places in PARTS.items():
            counts = [lines(root, where, seen) for root, where, seen in zip(roots, places, counted)]
            totals = [total + count for total, count in zip(totals, counts)]
            print(f"| {part} | {counts[0]:,} | {counts[1]:,} |")
        print(f"| together | {totals[0]:,} | {totals[1]:,} |")
        print(f"\n{100 * totals[1] / totals[0]:.0f} %")


if __name__ == "__main__":
    main()
