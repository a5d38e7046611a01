"""A guest with `requests` who knows of no proxy: all it has stands in its environment.

Prints what it got, and its environment. Arguments: a base URL, a URL it may not call."""

import json
import os
import sys

import requests

allowed, unlisted = sys.argv[1:]
replies = []


def keep(reply):
    headers = dict(reply.headers)
    replies.append({"status": reply.status_code, "headers": headers, "body": reply.text})


with requests.Session() as session:
    keep(session.get(allowed + "/v1/models", timeout=20))
    keep(session.post(allowed + "/v1/messages", json={"hello": "world" * 1000}, timeout=20))
    own = {"Authorization": "Bearer guests-own"}
    keep(session.get(allowed + "/v1/models", headers=own, timeout=20))
    keep(session.delete(allowed + "/v1/models", timeout=20))
    try:
        keep(session.get(unlisted, timeout=20))
        refused = ""
    except requests.exceptions.ProxyError as error:
        refused = str(error)

print(json.dumps({"replies": replies, "refused": refused, "environment": dict(os.environ)}))
