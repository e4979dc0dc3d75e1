#!/usr/bin/env python3
"""The example consumer takes the rows of a manifest, and refuses rows that were changed, left out or doubled."""
import hashlib
import importlib.util
import pathlib

PATH = pathlib.Path(__file__).parent.parent / "examples" / "consumer.py"
SPEC = importlib.util.spec_from_file_location("consumer", PATH)
consumer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(consumer)


def row(account, effective, ratio):
    return {"snapshot_date": "2026-02-10", "account": account, "effective_contribution": effective, "contribution_ratio": ratio}


ROWS = [row("D1", "75.0000000000", "0.750000000000000000"), row("HEADQUARTERS", "25.0000000000", "0.250000000000000000")]
DIGEST = hashlib.sha256(b"".join(hashlib.sha256(text.encode()).digest() for text in (
    "75.0000000000|0.750000000000000000|D1", "25.0000000000|0.250000000000000000|HEADQUARTERS"))).hexdigest()
MANIFEST = {"snapshot_date": "2026-02-10", "rows": 2, "network_total_contribution": "100.0000000000",
            "sum_of_ratios": "1.000000000000000000", "digest": DIGEST}


def refused(rows, manifest=MANIFEST):
    try:
        consumer.check(manifest, rows)
    except consumer.Refused as why:
        return str(why)
    return None


assert refused(ROWS) is None
assert refused(ROWS[:1]) == "there are more or fewer rows than the manifest says"
assert refused([ROWS[0], ROWS[0]]) == "an account has two rows"
assert refused([row("D1", "75.0000000001", "0.750000000000000000"), ROWS[1]]) == "the amounts do not sum to the network's total"
assert refused([row("D1", "75.0000000000", "0.750000000000000001"), ROWS[1]]) == "the ratios do not sum to one"
assert refused([row("D2", "75.0000000000", "0.750000000000000000"), ROWS[1]]) == "the digest is another one"
assert refused(ROWS, {**MANIFEST, "snapshot_date": "2026-02-11"}) == "D1 has a row of another date"
print("the consumer refuses what it must")
