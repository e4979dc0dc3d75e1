#!/usr/bin/env python3
"""Checks by docs/proof/verify.py every closed date of the golden captures: all rows of each date, and proofs of its rows.

    docs/checks/golden-proofs.py target/release/contribution

Of the latest date every row's proof is checked, of each other date that of one row. Needs Python 3 and nothing else.
"""

import json
import pathlib
import re
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERIFIER = ROOT / "docs/proof/verify.py"
CAPTURES = ["ordering-incident", "flattened-regions"]
# Every date up to this one is closed.
AS_OF = "2026-11-28"
# Salts of a ledger in memory are made with this (infra/local/src/stack.rs).
SECRET = "the secret of a ledger in memory, which is gone with it"


def verify(what, given):
    answer = subprocess.run([sys.executable, VERIFIER], input=json.dumps(given), capture_output=True, text=True)
    if answer.stdout.strip() != "verified":
        sys.exit(f"{what}: {answer.stderr.strip()}")


def check(binary, capture):
    """Returns how many dates, rows and proofs were checked."""
    running = subprocess.Popen([binary, "run", ROOT / f"events/captures/{capture}.jsonl", "--port", "0", "--as-of", AS_OF],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        address = token = None
        for line in running.stdout:
            found = re.search(r"(http://127\.0\.0\.1:\d+)/#token=(\S+)", line)
            address, token = found.groups() if found else (address, token)
            if line.startswith("up;"):
                break

        def ask(path):
            request = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)

        def pages(path, name):
            cursor = ""
            while cursor is not None:
                answer = ask(path + cursor)
                yield from answer[name]
                cursor = answer.get("next_cursor") and f"&cursor={answer['next_cursor']}"

        dates = rows_checked = proofs = 0
        for manifest in pages("/v1/snapshots?limit=200", "snapshots"):
            date, root = manifest["snapshot_date"], manifest["merkle_root"]
            rows = list(pages(f"/v1/snapshots/{date}/rows?limit=200", "rows"))
            given = [[row["account"], row["effective_contribution"], row["contribution_ratio"]] for row in rows]
            verify(f"{capture}, rows of {date}", {"root": root, "date": date, "secret": SECRET, "rows": given})
            accounts = [row[0] for row in given]
            for account in accounts if dates == 0 else [accounts[dates % len(accounts)]]:
                proof = ask(f"/v1/snapshots/{date}/proof/{account}")
                verify(f"{capture}, {account} on {date}", {"root": root, "proof": proof})
                proofs += 1
            dates, rows_checked = dates + 1, rows_checked + len(rows)
        return dates, rows_checked, proofs
    finally:
        running.terminate()


for name in CAPTURES:
    dates, rows, proofs = check(sys.argv[1], name)
    if dates == 0:
        sys.exit(f"{name}: no date is closed")
    print(f"{name}: {dates} dates with {rows} rows, and {proofs} proofs, are verified")
