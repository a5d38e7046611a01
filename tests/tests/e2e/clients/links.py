"""A guest with `requests` whose base URL is a gateway: follows a redirect, and the pages of a list.

Prints what it got. Arguments: the base URL, a session."""

import json
import sys

import requests

base, session = sys.argv[1:]
got = []


def keep(reply):
    got.append({"url": reply.url, "status": reply.status_code, "body": reply.text})


with requests.Session() as client:
    client.headers["Authorization"] = f"Bearer {session}"
    keep(client.get(base + "/v1/old", timeout=20))
    page = base + "/v1/pages"
    while page:
        reply = client.get(page, timeout=20)
        keep(reply)
        page = reply.links.get("next", {}).get("url")

print(json.dumps(got))
