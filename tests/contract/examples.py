#!/usr/bin/env python3
"""Puts real answers into the contract, in the place of examples that are none.

    tests/contract/examples.py ANSWERS        the file that `query_api::examples` names when it fails
"""

import json
import pathlib
import sys

CONTRACT = pathlib.Path(__file__).parents[2] / "functions/query-api/openapi.json"
ENTRIES = 3  # An example has so many entries of a list.


def cut(answer):
    if isinstance(answer, dict):
        return {name: cut(member) for name, member in answer.items()}
    if isinstance(answer, list):
        return [cut(entry) for entry in answer[:ENTRIES]]
    return answer


contract = json.loads(CONTRACT.read_text())
for operation, answer in json.loads(pathlib.Path(sys.argv[1]).read_text()).items():
    method, path = operation.split(" ")
    contract["paths"][path][method]["responses"]["200"]["content"]["application/json"]["example"] = cut(answer)
CONTRACT.write_text(json.dumps(contract, indent=1, ensure_ascii=False) + "\n")
