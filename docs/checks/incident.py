#!/usr/bin/env python3
"""Recomputes the ordering incident of docs/rules.md and checks the page's numbers.

Shares out every adoption of the snapshot capture twice with a running "unlocked now" state: once in the
order in which the records arrived, once in ascending order number. Compares the second result with the
expected ledger, and requires that docs/rules.md states what came out. Needs Python 3 and nothing else.
"""

import base64
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAPTURE = ROOT / "events/captures/ordering-incident.snapshot.jsonl"
EXPECTED = ROOT / "events/captures/ordering-incident.snapshot.expected.json"
FINAL = ROOT / "events/captures/ordering-incident.expected.json"
PAGE = ROOT / "docs/rules.md"

UPLINE = "D25122700018"
ORDERS_BELOW = (57, 58, 59)
STATUSES = {"MINING_ENABLED", "CONFIRMED", "PAID", "ACTIVE"}
ONE = 10**10  # An amount is a whole number of 10⁻¹⁰ units.


def main():
    referrers, orders = read_capture()
    arrived = share_out(orders, referrers)
    ascending = share_out(sorted(orders, key=lambda order: order["order_id"]), referrers)

    expected = json.loads(EXPECTED.read_text())["distributions"]
    if ascending != {int(number): legs_of(entry) for number, entry in expected.items()}:
        sys.exit("processing in ascending order number does not give the expected ledger")
    final = json.loads(FINAL.read_text())["distributions"]
    for number in map(str, (55, *ORDERS_BELOW)):
        if legs_of(final[number]) != legs_of(expected[number]):
            sys.exit(f"order {number} was changed after the snapshot")

    sequence = [order["order_id"] for order in orders if order["order_id"] in (55, *ORDERS_BELOW)]
    print("arrival:", *sequence)
    lines = [f"{'order':>5}  {'by arrival':>15}  {'by order number':>15}"]
    for number in ORDERS_BELOW:
        lines.append(f"{number:>5}  {amount(gain(arrived, number)):>15}  {amount(gain(ascending, number)):>15}")
    lost = sum(gain(ascending, number) - gain(arrived, number) for number in ORDERS_BELOW)
    print(*lines, sep="\n")
    print(f"{UPLINE} would have lost {amount(lost)}")

    page = PAGE.read_text()
    stated = [amount(gain(ascending, number)) for number in ORDERS_BELOW] + [amount(lost)]
    stated += [amount(leg[2]) for number in ORDERS_BELOW for leg in ascending[number] if leg[1] == UPLINE]
    missing = [text for text in stated if text not in page]
    if missing:
        sys.exit(f"docs/rules.md does not state {', '.join(missing)}")
    print("docs/rules.md states these numbers")


def read_capture():
    """Returns the referrer of each account, and the distributable orders as they arrived."""
    referrers, orders = {}, []
    for line in CAPTURE.read_text().splitlines():
        row = json.loads(json.loads(line)["value"]).get("after", {})  # A heartbeat has no row.
        if "referrer_account_sequence" in row:
            referrers[row["account_sequence"]] = row["referrer_account_sequence"]
        elif "tree_count" in row and row["status"] in STATUSES:
            orders.append(row)
    return referrers, orders


def share_out(orders, referrers):
    """Returns the legs of each order, with what is unlocked when its turn comes."""
    adopted, direct_adopters, result = set(), {}, {}
    for order in orders:
        account = order["account_sequence"]
        adopted.add(account)
        if referrers[account]:
            direct_adopters.setdefault(referrers[account], set()).add(account)
        price = int.from_bytes(base64.b64decode(order["contribution_per_tree"]), signed=True)
        total = order["tree_count"] * price
        result[order["order_id"]] = legs(account, total, referrers, adopted, direct_adopters)
    return result


def legs(account, total, referrers, adopted, direct_adopters):
    """Returns the legs of one adoption as (type, owner, amount)."""
    fixed = [("PERSONAL", account, 700), ("OPERATION", "OPERATION", 120), ("PROVINCE", "PROVINCE", 10),
             ("CITY", "CITY", 20)]
    found = [(kind, owner, total * per_mille // 1000) for kind, owner, per_mille in fixed]
    chain, above = [], referrers[account]
    while above and len(chain) < 15:
        chain.append(above)
        above = referrers[above]
    for level in range(1, 16):
        owner = chain[level - 1] if level <= len(chain) else None
        open_to = owner and level <= depth(owner, adopted, direct_adopters)
        kind, owner = ("TEAM_LEVEL", owner) if open_to else ("LEVEL_OVERFLOW", "HEADQUARTERS")
        found.append((kind, owner, total * 5 // 1000))
    for tier in range(1, 4):
        owner = chain[0] if chain else None
        open_to = owner and tier <= tiers(owner, adopted, direct_adopters)
        kind, owner = ("TEAM_BONUS", owner) if open_to else (f"BONUS_TIER_{tier}", "HEADQUARTERS")
        found.append((kind, owner, total * 25 // 1000))
    rest = total - sum(leg[2] for leg in found)
    return found + [("ROUNDING", "HEADQUARTERS", rest)] if rest else found


def depth(account, adopted, direct_adopters):
    count = len(direct_adopters.get(account, ()))
    if account not in adopted:
        return 0
    return 15 if count >= 5 else 10 if count >= 3 else 5 if count >= 1 else 0


def tiers(account, adopted, direct_adopters):
    count = len(direct_adopters.get(account, ()))
    return (account in adopted) + (count >= 2) + (count >= 4)


def gain(result, number):
    return sum(leg[2] for leg in result[number] if leg[1] == UPLINE)


def legs_of(entry):
    """Returns the legs of an entry of the expected ledger as (type, owner, amount)."""
    units = lambda text: int(text.replace(".", ""))
    return [(leg["type"], leg["owner"], units(leg["amount"])) for leg in entry["legs"]]


def amount(units):
    """Returns an amount as the page writes it: thousands with commas, zeros at the end left out."""
    whole, fraction = divmod(units, ONE)
    digits = f"{fraction:010}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{digits}"


main()
