"""Cursors and subscriptions for invented requests.

No schema can say which cursors there are: a cursor is whatever a list answered. So where a request that
is meant to be good has an invented one, it is given one that the same list answered, or none. Nor can it say
which subscriptions there are: every second such request asks for the one that `run.sh` makes.
"""

from functools import cache
from urllib.parse import urlencode

import requests
import schemathesis
from schemathesis import GenerationMode

# Whose lists have more than one entry, in the capture that the stack brings along.
VALUES = {"account": "D25122700018", "date": "2026-02-10", "id": "HEADQUARTERS"}


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if len((case.path_parameters or {}).get("webhook", "")) % 2 == 1:
        case.path_parameters["webhook"] = "mining"
    if "cursor" not in (case.query or {}):
        return
    path = case.operation.path.format(**{**VALUES, **(case.path_parameters or {})})
    direction = case.query.get("direction")
    authorization = (kwargs.get("headers") or {}).get("Authorization") or case.headers.get("Authorization")
    known = answered(case.operation.base_url.rstrip("/") + path, direction, authorization)
    if case.query["cursor"] in known:
        return
    if known:
        case.query["cursor"] = known[len(case.query["cursor"]) % len(known)]
    else:
        del case.query["cursor"]


@cache
def answered(url, direction, authorization):
    """The cursors that a list's first pages answer."""
    found, query = [], {"limit": 1, **({"direction": direction} if direction else {})}
    for _ in range(3):
        answer = requests.get(f"{url}?{urlencode(query)}", headers={"Authorization": authorization}, timeout=10)
        query["cursor"] = answer.json().get("next_cursor") if answer.ok else None
        if query["cursor"] is None:
            break
        found.append(query["cursor"])
    return found
