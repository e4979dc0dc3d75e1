#!/usr/bin/env python3
"""Verifies, given as JSON on standard input, a proof {"root", "proof"} of one row of a closed date, or all rows
{"root", "date", "secret", "rows"} of it. It shares no code with the ledger; README.md says what is hashed."""
import base64, hashlib, hmac, json, sys
from decimal import Decimal, getcontext
getcontext().prec = 80
def need(condition, what):
    condition or sys.exit(f"refused: {what}")
def sha(*parts):
    return hashlib.sha256(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts)).digest()
def b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def way_up(rows, index):  # the nodes above a leaf: is it on the right, leaves of its sibling, leaves of the node
    if rows > 1 and index < rows // 2:
        return way_up(rows // 2, index) + [(False, rows - rows // 2, rows)]
    return way_up(rows - rows // 2, index - rows // 2) + [(True, rows // 2, rows)] if rows > 1 else []

def check_proof(root, proof):
    proof = proof.get("proof", proof)  # the API's answer has it under this name
    date, account, effective, ratio = (proof[key] for key in ("date", "account", "effective", "ratio"))
    rows, index, amount, total = proof["rows"], proof["index"], Decimal(effective), Decimal(proof["network_total"])
    need(0 <= amount <= total and 0 <= index < rows, "the row's numbers")
    share = int(amount * 10**10) * 10**18 // max(1, int(total * 10**10))
    need(account == "HEADQUARTERS" or share == int(Decimal(ratio) * 10**18), "the row's ratio")
    node, known = sha(b"\0", b64(proof["salt"]), f"{date}|{effective}|{ratio}|{account}"), None
    need(len(way_up(rows, index)) == len(proof["path"]), "the length of the path")
    for (is_right, sibling_leaves, leaves), step in zip(way_up(rows, index), proof["path"]):
        sums, sibling = {part[0]: part[1:] for part in step.split(" ")[1:]}, b64(step.split(" ")[0])
        beside, both = Decimal(sums.get("+", 0)), known is not None and "+" in sums
        need(("+" in sums) == (sibling_leaves >= 1024) and beside >= 0, "a sum beside the path")
        need(("=" in sums) == (leaves >= 1024 and not both), "a sum on the path")
        sibling = sha(b"\2", sums["+"], sibling) if "+" in sums else sibling
        node = sha(b"\1", sibling, node) if is_right else sha(b"\1", node, sibling)
        if leaves >= 1024:
            least = (amount if known is None else known) + beside
            known = least if both else Decimal(sums["="])
            need(known >= least, "a sum that is too small")
            node = sha(b"\2", f"{known:.10f}", node)
    need(total == (amount if rows == 1 else total if known is None else known), "the network's total")
    need(sha(b"\3", f'{date}|{rows}|{proof["network_total"]}', node).hex() == root, "the root")

def check_rows(root, date, secret, rows):
    def node(rows):  # the hash over these rows, and their sum
        if len(rows) == 1:
            salt = hmac.digest(secret.encode(), f"{date}|{rows[0][0]}".encode(), "sha256")
            return sha(b"\0", salt, f"{date}|{rows[0][1]}|{rows[0][2]}|{rows[0][0]}"), Decimal(rows[0][1])
        (left, x), (right, y) = node(rows[: len(rows) // 2]), node(rows[len(rows) // 2 :])
        inner = sha(b"\1", left, right)
        return (sha(b"\2", f"{x + y:.10f}", inner) if len(rows) >= 1024 else inner), x + y
    need(len({row[0] for row in rows}) == len(rows), "an account has two rows")
    need(sum(Decimal(row[2]) for row in rows) == 1, "the sum of the ratios")
    top, total = node(sorted(rows, key=lambda row: sha(row[0])))
    need(sha(b"\3", f"{date}|{len(rows)}|{total:.10f}", top).hex() == root, "the root")

try:
    given = json.load(sys.stdin)
    (check_proof if "proof" in given else check_rows)(**given)
except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
    sys.exit(f"refused: this is neither a proof nor the rows of a date ({error})")
print("verified")
