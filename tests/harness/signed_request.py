"""One request, signed by the official cloud SDK's own signer: for the operations that the SDK has no method for. Takes one JSON
argument {url, ca_file, access_key, secret_key, method, path, query, headers, body}; prints {status, headers, body}."""

import json
import sys
from urllib.parse import urlsplit

import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

wanted = json.loads(sys.argv[1])
address = urlsplit(wanted["url"])
body = "" if wanted.get("body") is None else json.dumps(wanted["body"])
request = SdkRequest(
    method=wanted["method"], schema=address.scheme, host=address.netloc, resource_path=wanted["path"], uri=wanted["path"],
    query_params=[tuple(pair) for pair in wanted.get("query", [])],
    header_params={"Content-Type": "application/json", **wanted.get("headers", {})}, body=body)
signed = Signer(BasicCredentials(wanted["access_key"], wanted["secret_key"], "")).sign(request)
answer = requests.request(
    wanted["method"], wanted["url"] + signed.uri, headers=signed.header_params, data=body or None, verify=wanted["ca_file"], timeout=60)
try:
    said = answer.json()
except ValueError:
    said = answer.text
print(json.dumps({"status": answer.status_code, "headers": {k.lower(): v for k, v in answer.headers.items()}, "body": said}))
