"""Guests of the usual libraries who are denied: what each of them shows its user.

Arguments: the base URL of a host that is not listed, a URL of a listed host that takes no upload, how often.
Prints a list of objects with `client`, `seconds` and `shown`."""

import json
import sys
import time

import anthropic
import boto3
import botocore.config
import httpx
import openai
import requests

unlisted, upload, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
LARGE = b"x" * (20 * 1024 * 1024)
MESSAGES = [{"role": "user", "content": "hello"}]
told = []


def shown_by(client, call):
    for _ in range(times):
        begun = time.monotonic()
        try:
            shown = str(call())
        except Exception as error:  # What a user sees of it is the point.
            shown = f"{type(error).__name__}: {error}"
        told.append({"client": client, "seconds": time.monotonic() - begun, "shown": shown})


def by_requests(method, url, body=None):
    reply = requests.request(method, url, data=body, timeout=20)
    return f"{reply.status_code} {reply.text}"


def by_httpx(method, url, body=None, http2=False):
    with httpx.Client(http2=http2, timeout=20) as client:
        reply = client.request(method, url, content=body)
        return f"{reply.status_code} {reply.http_version} {reply.text}"


def by_openai():
    client = openai.OpenAI(base_url=unlisted + "/v1", api_key="placeholder")
    return client.chat.completions.create(model="m", messages=MESSAGES)


def by_anthropic():
    client = anthropic.Anthropic(base_url=unlisted, api_key="placeholder")
    return client.messages.create(model="m", max_tokens=9, messages=MESSAGES)


def by_boto3(service):
    keys = {"aws_access_key_id": "placeholder", "aws_secret_access_key": "placeholder"}
    return boto3.client(service, region_name="us-east-1", endpoint_url=unlisted, **keys)


shown_by("requests", lambda: by_requests("GET", unlisted + "/"))
shown_by("httpx", lambda: by_httpx("GET", unlisted + "/"))
shown_by("httpx over h2", lambda: by_httpx("GET", unlisted + "/", http2=True))
shown_by("openai", by_openai)
shown_by("anthropic", by_anthropic)
shown_by("boto3 secretsmanager", lambda: by_boto3("secretsmanager").list_secrets())
shown_by("boto3 s3", lambda: by_boto3("s3").list_buckets())
shown_by("requests uploads", lambda: by_requests("POST", upload, LARGE))
shown_by("httpx uploads", lambda: by_httpx("POST", upload, LARGE))
shown_by("httpx uploads over h2", lambda: by_httpx("POST", upload, LARGE, http2=True))
print(json.dumps(told))
