"""One request, signed by the official cloud SDK's own signer: for the operations that the SDK has no method for. Takes one JSON
argument {url, ca_file, access_key, secret_key, method, path, query, headers, body}; prints {status, headers, body}. With
"events" it reads server-sent events instead and prints each as it comes, {event, id, data}, until the stream ends."""

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
events = wanted.get("events", False)
answer = requests.request(
    wanted["method"], wanted["url"] + signed.uri, headers=signed.header_params, data=body or None, verify=wanted["ca_file"],
    timeout=60, stream=events)
if events and answer.status_code == 200:
    fields = {}
    for line in answer.iter_lines(chunk_size=None, decode_unicode=True):
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            print(json.dumps({"event": fields.get("event"), "id": fields.get("id"), "data": json.loads(fields["data"])}), flush=True)
        if not line:
            fields = {}
    sys.exit()
try:
    said = answer.json()
except ValueError:
    said = answer.text
print(json.dumps({"status": answer.status_code, "headers": {k.lower(): v for k, v in answer.headers.items()}, "body": said}))
