#!/usr/bin/env python3
"""Measures how long builds take from nothing, at one revision of this repository or at two, side by side.

    docs/checks/build-times.py HEAD
    docs/checks/build-times.py 0177ed0 HEAD --only first,release

Each build has an empty target directory and what Cargo has downloaded; the downloads come first and are not measured.
With two revisions, each build is measured at the one and then at the other before the next build, so that a machine
that becomes slower meanwhile does so for both. The builds are:

    first     what the first `cargo run` of the revision's README compiles
    release   cargo build --release --bin contribution
    tests     cargo test --workspace --no-run
    ci        .ci/run, all of it: it compiles and runs

The output is in Markdown: the seconds of the clock and of the processors (user and system, of all processes), and of
each build the ten units of compilation that took longest.

Nothing else may run meanwhile. The whole takes as long as its builds: an hour for two revisions on two processors.
"""

import argparse
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILDS = ["first", "release", "tests", "ci"]
UNITS_SHOWN = 10
README_COMMAND = re.compile(r"^cargo run\b([^#\n]*)", re.MULTILINE)


def command_of(build, checkout):
    """Returns the command of a build, as a list."""
    if build == "first":
        found = README_COMMAND.search((checkout / "README.md").read_text(encoding="utf-8"))
        if found is None:
            sys.exit(f"{checkout}/README.md has no line that begins with `cargo run`: measure with --only release,tests")
        options = shlex.split(found.group(1).split(" -- ")[0])
        return ["cargo", "build", *options, "--timings"]
    if build == "release":
        return ["cargo", "build", "--release", "--bin", "contribution", "--timings"]
    if build == "tests":
        return ["cargo", "test", "--workspace", "--no-run", "--timings"]
    return [".ci/run"]


def measure(command, checkout, target):
    """Runs a command with an empty target directory. Returns its seconds: of the clock, and of the processors."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_NET_OFFLINE": "true"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    processors = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, processors


def units_of(target):
    """Returns the units of a build with `--timings`, the longest first, each as seconds and name."""
    report = target / "cargo-timings" / "cargo-timing.html"
    if not report.exists():
        return []
    found = re.search(r"const UNIT_DATA = (\[.*?\n?\]);", report.read_text(encoding="utf-8"), re.DOTALL)
    if found is None:
        sys.exit(f"{report} has no UNIT_DATA: this version of Cargo writes its report otherwise")
    units = []
    for unit in json.loads(found.group(1)):
        target_name = unit.get("target", "").strip()
        name = f"{unit['name']} {target_name}".strip()
        if unit.get("mode") == "run-custom-build":
            name = f"{unit['name']} (its build script runs)"
        units.append((unit["duration"], name))
    return sorted(units, reverse=True)


def shown_units(columns):
    """Returns the table of the largest units, with a pair of columns for each revision."""
    lines = ["| " + " | ".join(f"unit at {revision} | s" for revision in columns) + " |"]
    lines.append("|---|--:" * len(columns) + "|")
    for place in range(min(UNITS_SHOWN, max(len(units) for units in columns.values()))):
        cells = []
        for units in columns.values():
            seconds, name = units[place] if place < len(units) else ("", "")
            cells.append(f"{name} | {seconds:.1f}" if name else " | ")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="+", metavar="REVISION", help="one revision of git, or two")
    parser.add_argument("--only", default="first,release,tests", help=f"which builds, of: {','.join(BUILDS)}")
    parser.add_argument("--repository", default=Path(__file__).resolve().parents[2], help="the folder of another repository")
    arguments = parser.parse_args()
    builds = arguments.only.split(",")
    if len(arguments.revisions) > 2 or not set(builds) <= set(BUILDS):
        parser.error(f"one revision or two, and builds of {','.join(BUILDS)}")

    git = ["git", "-C", str(arguments.repository)]
    rows, tables = [], []
    with tempfile.TemporaryDirectory(prefix="build-times-") as folder:
        checkouts = {}
        for revision in arguments.revisions:
            checkout = Path(folder) / f"source-{len(checkouts)}"
            checkout.mkdir()
            archive = subprocess.run([*git, "archive", revision], capture_output=True, check=True)
            subprocess.run(["tar", "-x", "-C", str(checkout)], input=archive.stdout, check=True)
            subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=checkout, check=True)
            checkouts[revision] = checkout
        for build in builds:
            columns = {}
            for revision, checkout in checkouts.items():
                command = command_of(build, checkout)
                with tempfile.TemporaryDirectory(dir=folder, prefix="target-") as target:
                    wall, processors = measure(command, checkout, Path(target))
                    columns[revision] = units_of(Path(target))
                rows.append(f"| {build} | {revision} | `{shlex.join(command)}` | {wall:.1f} | {processors:.1f} |")
                print(rows[-1], file=sys.stderr)
            if any(columns.values()):
                tables.append(f"### {build}: the largest units\n\n{shown_units(columns)}")

    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}, {os.cpu_count()} processors.\n")
    print("| build | revision | command | s of the clock | s of the processors |\n|---|---|---|--:|--:|")
    print("\n".join(rows) + "\n")
    print("\n\n".join(tables))


if __name__ == "__main__":
    main()
