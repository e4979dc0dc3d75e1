#!/usr/bin/env python3
"""Gets the snapshot of a date and checks it before anything is paid by it.

    consumer.py ADDRESS DATE TOKEN

Prints each account with its share of 1,000 coins, or what it refuses. Only Python's library is needed."""
import hashlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from decimal import ROUND_DOWN, Decimal, getcontext

getcontext().prec = 60
COINS = Decimal(1000)


class Refused(Exception):
    """The snapshot must not be paid by."""


def get(address, path, token, **query):
    url = f"{address}{path}?{urllib.parse.urlencode(query)}" if query else f"{address}{path}"
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        title = problem.get("title") or problem.get("message")
        raise Refused(f"{title}. {problem.get('next', '')}".rstrip()) from error
    except urllib.error.URLError as error:
        raise Refused(f"{address} cannot be reached: {error.reason}") from error


def rows_of(address, date, token):
    """Every row of the date, the largest first. A cursor is passed on alone."""
    query = {"limit": 200}
    while True:
        page = get(address, f"/v1/snapshots/{date}/rows", token, **query)
        yield from page["rows"]
        if page["next_cursor"] is None:
            return
        query = {"cursor": page["next_cursor"]}


def check(manifest, rows):
    """Refuses rows that are not those of the manifest."""
    def need(condition, what):
        if not condition:
            raise Refused(what)

    digest = hashlib.sha256()
    for row in rows:
        need(row["snapshot_date"] == manifest["snapshot_date"], f"{row['account']} has a row of another date")
        text = f"{row['effective_contribution']}|{row['contribution_ratio']}|{row['account']}"
        digest.update(hashlib.sha256(text.encode()).digest())
    effective = sum(Decimal(row["effective_contribution"]) for row in rows)
    ratios = sum(Decimal(row["contribution_ratio"]) for row in rows)
    need(len(rows) == manifest["rows"], "there are more or fewer rows than the manifest says")
    need(len({row["account"] for row in rows}) == len(rows), "an account has two rows")
    need(effective == Decimal(manifest["network_total_contribution"]), "the amounts do not sum to the network's total")
    need(ratios == Decimal(manifest["sum_of_ratios"]) == 1, "the ratios do not sum to one")
    need(digest.hexdigest() == manifest["digest"], "the digest is another one")


def main(address, date, token):
    manifest = get(address, f"/v1/snapshots/{date}/manifest", token)
    rows = list(rows_of(address, date, token))
    check(manifest, rows)
    for row in rows:
        coins = (COINS * Decimal(row["contribution_ratio"])).quantize(Decimal("0.00000001"), ROUND_DOWN)
        print(f"{row['account']} {coins}")
    print(f"checked: {len(rows)} rows, digest {manifest['digest']}, cut {manifest['cut']}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Refused as refused:
        sys.exit(f"refused: {refused}")
