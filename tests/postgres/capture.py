"""Reads a capture whose messages are change envelopes without schema."""

import base64
import datetime
import json

EPOCH = datetime.date(1970, 1, 1)


def changes(path, table):
    """The changes of a table in the order of arrival: the operation, the row's key, and the row unless it went."""
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record["value"] is None or not record["topic"].endswith("." + table):
                continue
            value = json.loads(record["value"])
            yield value["op"], record["key"], value["after"]


def last_rows(path, table):
    """Each row as the capture leaves it."""
    rows = {}
    for operation, key, row in changes(path, table):
        rows.pop(key, None)
        if operation != "d":
            rows[key] = row
    return list(rows.values())


def units(decimal):
    """A decimal of scale 10 as a whole number of its units."""
    return int.from_bytes(base64.b64decode(decimal), "big", signed=True)


def shown(amount):
    """A number of units as a decimal."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 10**10}.{abs(amount) % 10**10:010}"


def date(days):
    return EPOCH + datetime.timedelta(days=days)
