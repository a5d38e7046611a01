"""A guest with one library: `guest.py LIBRARY BASE`. It prints what the library returns, or its error.

The environment alone names the proxy and the CA, but where a function says so."""

import asyncio
import os
import sys
import urllib.request

library, base = sys.argv[1:]
MESSAGES = [{"role": "user", "content": "hello"}]
PROXY = os.environ["HTTPS_PROXY"]
LARGE = bytes(20 << 20)


def by_urllib():
    return urllib.request.urlopen(base + "/v1/models", timeout=20).read().decode()


def by_requests():
    import requests

    reply = requests.get(base + "/v1/models", timeout=20)
    return f"{reply.status_code} {reply.text}"


def by_requests_sending():
    import requests

    reply = requests.post(base + "/upload", data=LARGE, timeout=60)
    return f"{reply.status_code} {reply.text}"


def by_urllib3():
    """urllib3 reads no environment: the program names proxy and CA."""
    import urllib3

    url = urllib3.util.parse_url(PROXY)
    headers = urllib3.make_headers(proxy_basic_auth=url.auth)
    pool = urllib3.ProxyManager(PROXY, proxy_headers=headers, ca_certs=os.environ["SSL_CERT_FILE"])
    reply = pool.request("GET", base + "/v1/models", timeout=20, retries=False)
    return f"{reply.status} {reply.data.decode()}"


def by_httpx(http2=False):
    import httpx

    with httpx.Client(http2=http2, timeout=20) as client:
        reply = client.get(base + "/v1/models")
        return f"{reply.status_code} {reply.http_version} {reply.text}"


def by_httpx_h2():
    return by_httpx(http2=True)


def by_httpx_sending(http2=False):
    import httpx

    with httpx.Client(http2=http2, timeout=60) as client:
        reply = client.post(base + "/upload", content=LARGE)
        return f"{reply.status_code} {reply.http_version} {reply.text}"


def by_httpx_h2_sending():
    return by_httpx_sending(http2=True)


def by_aiohttp():
    """aiohttp reads the environment with `trust_env`, and the CA of OpenSSL."""
    import aiohttp

    async def call():
        async with aiohttp.ClientSession(trust_env=True) as session:
            async with session.get(base + "/v1/models") as reply:
                return f"{reply.status} {await reply.text()}"

    return asyncio.run(call())


def by_openai():
    import openai

    client = openai.OpenAI(base_url=base + "/v1", api_key="placeholder")
    reply = client.chat.completions.create(model="m", messages=MESSAGES)
    return reply.choices[0].message.content


def by_anthropic():
    import anthropic

    client = anthropic.Anthropic(base_url=base, api_key="placeholder")
    return client.messages.create(model="m", max_tokens=9, messages=MESSAGES).content[0].text


def by_litellm():
    import litellm

    reply = litellm.completion(
        model="openai/m", api_base=base + "/v1", api_key="placeholder", messages=MESSAGES
    )
    return reply.choices[0].message.content


def by_langchain():
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model="m", base_url=base + "/v1", api_key="placeholder").invoke("hello").content


def by_gemini():
    from google import genai

    options = genai.types.HttpOptions(base_url=base, api_version="v1beta")
    client = genai.Client(api_key="placeholder", http_options=options)
    return client.models.generate_content(model="m", contents="hello").text


def by_boto3():
    import boto3

    keys = {"aws_access_key_id": "placeholder", "aws_secret_access_key": "placeholder"}
    client = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=base, **keys)
    return client.list_secrets()["SecretList"]


def by_slack():
    from slack_sdk import WebClient

    return WebClient(token="placeholder", base_url=base + "/api/").auth_test()["user"]


def by_github():
    import github

    client = github.Github(login_or_token="placeholder", base_url=base, retry=None)
    return client.get_repo("acme/site").full_name


def by_gitlab():
    import gitlab

    return gitlab.Gitlab(base, private_token="placeholder").projects.get("acme/site").name


def by_jira():
    from jira import JIRA

    options = {"rest_api_version": "3"}
    client = JIRA(base, options=options, token_auth="placeholder", get_server_info=False, max_retries=0)
    return client.issue("ACME-1").key


def by_kubernetes():
    """The client reads the proxy of the environment, but neither its user nor the CA: the program names them."""
    import urllib3
    from kubernetes import client

    settings = client.Configuration(host=base)
    settings.ssl_ca_cert = os.environ["SSL_CERT_FILE"]
    user = urllib3.util.parse_url(PROXY).auth
    settings.proxy_headers = urllib3.make_headers(proxy_basic_auth=user)
    return client.VersionApi(client.ApiClient(settings)).get_code().git_version


def by_websockets():
    from websockets.sync.client import connect

    with connect(base.replace("https:", "wss:") + "/ws", open_timeout=20) as socket:
        socket.send("hello")
        return socket.recv(timeout=20)


print(globals()[f"by_{library}"]())
