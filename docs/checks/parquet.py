#!/usr/bin/env python3
"""What the example writes as Parquet is read back to the last digit, and a file of other rows is refused."""
import hashlib
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
sys.dont_write_bytecode = True
try:
    import duckdb
except ImportError:
    sys.exit("DuckDB is not installed: pip install duckdb")
import consumer
import parquet

HEADER = "snapshot_date,account,effective_contribution,network_total_contribution,contribution_ratio\n"
# As large as a sum may be, with a digit in the last place; a binary fraction holds neither.
TOTAL = "9999999999999999999999999999.0000000003"
ROWS = [("D1", "9999999999999999999999999997.9000000001", "0.999999999999999999"),
        ("省:440000", "0.1000000001", "0.000000000000000001"), ("HEADQUARTERS", "1.0000000001", "0.000000000000000000")]


def line(row):
    account, effective, ratio = row
    return f"2026-02-10,{account},{effective},{TOTAL},{ratio}\n"


def manifest(rows):
    hashes = [hashlib.sha256(f"{effective}|{ratio}|{account}".encode()).digest() for account, effective, ratio in rows]
    return {"snapshot_date": "2026-02-10", "rows": len(rows), "network_total_contribution": TOTAL,
            "sum_of_ratios": "1.000000000000000000", "digest": hashlib.sha256(b"".join(hashes)).hexdigest()}


with tempfile.TemporaryDirectory() as directory:
    path = f"{directory}/snapshot.parquet"
    # Two files, as a date of very many rows has them.
    parquet.write([HEADER + line(ROWS[0]), line(ROWS[1]) + line(ROWS[2])], path)
    rows = parquet.read(path)
    assert [(row["account"], row["effective_contribution"], row["contribution_ratio"]) for row in rows] == ROWS, rows
    consumer.check(manifest(ROWS), rows)
    kinds = duckdb.connect().read_parquet(path).types
    assert [str(kind) for kind in kinds] == ["BIGINT", "DATE", "VARCHAR", "DECIMAL(38,10)", "DECIMAL(38,10)", "DECIMAL(19,18)"], kinds
    try:
        consumer.check(manifest([("D2", *ROWS[0][1:]), *ROWS[1:]]), rows)
        sys.exit("rows of another digest were taken")
    except consumer.Refused:
        pass
print("Parquet holds every digit")
