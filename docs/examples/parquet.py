#!/usr/bin/env python3
"""Writes the snapshot of a date as Parquet, with exact decimals, and checks the file against the manifest.

    parquet.py ADDRESS DATE TOKEN FILE

It needs DuckDB (`pip install duckdb`). What it checks is what DuckDB reads back from the file."""
import csv
import io
import os
import sys
import tempfile
import urllib.parse
import urllib.request

import duckdb

from consumer import Refused, check, get

# An amount has up to 28 digits before its point and ten after it, a ratio one and eighteen.
COLUMNS = {
    "rank": "BIGINT",
    "snapshot_date": "DATE",
    "account": "VARCHAR",
    "effective_contribution": "DECIMAL(38, 10)",
    "network_total_contribution": "DECIMAL(38, 10)",
    "contribution_ratio": "DECIMAL(19, 18)",
}


def export(address, date, token):
    """Every file of comma-separated values of a date: each names the one after it in its header `link`."""
    url = f"{address}/v1/snapshots/{date}/export"
    while url:
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            yield answer.read().decode()
            link = answer.headers.get("link")
        url = link and urllib.parse.urljoin(url, link[link.index("<") + 1:link.index(">")])


def write(files, path):
    """Writes these files' rows as one file of Parquet, each with its rank."""
    with tempfile.TemporaryDirectory() as directory:
        ranked = os.path.join(directory, "rows.csv")
        with open(ranked, "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            rank = 0
            for number, text in enumerate(files):
                rows = csv.reader(io.StringIO(text))
                if number == 0:
                    writer.writerow(["rank", *next(rows)])
                for row in rows:
                    rank += 1
                    writer.writerow([rank, *row])
        exact = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in COLUMNS.items())
        database = duckdb.connect()
        source = database.read_csv(ranked, header=True, all_varchar=True)
        database.sql(f'SELECT {exact} FROM source ORDER BY "rank"').write_parquet(path)


def read(path):
    """The rows that a file of Parquet has, in their order, every value as the text it was."""
    texts = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in COLUMNS)
    source = duckdb.connect().read_parquet(path)
    rows = source.query("rows", f'SELECT {texts} FROM rows ORDER BY "rank"').fetchall()
    return [dict(zip(COLUMNS, row)) for row in rows]


def main(address, date, token, path):
    manifest = get(address, f"/v1/snapshots/{date}/manifest", token)
    write(export(address, date, token), path)
    rows = read(path)
    check(manifest, rows)
    print(f"checked: {path} has {len(rows)} rows, digest {manifest['digest']}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(f"refused: {refused}")
