"""What the SDK tests have in common: the official cloud SDK pointed at Rollcall, openssl for certificates, mosquitto's and
paho's clients as devices. The scene comes as one JSON argument: `api` (as in up.json), `instance`, `host` (its access domain),
`mqtts_port`, `server_ca`, `folder`. Whatever is not as it should be raises."""

import json
import pathlib
import queue
import ssl
import subprocess
import sys
import time

import paho.mqtt.client as mqtt
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiotda.v5 import IoTDAClient

SCENE = json.loads(sys.argv[1])
API = SCENE["api"]
FOLDER = pathlib.Path(SCENE["folder"])
BOUND_S = 60


def client(access_key=None, secret_key=None, project_id=None, url=None, derived=False):
    """The SDK's client; `derived` signs with V11-HMAC-SHA256 instead of SDK-HMAC-SHA256."""
    credentials = BasicCredentials(access_key or API["access_key"], secret_key or API["secret_key"], project_id or API["project_id"])
    url = url or API["url"]
    builder = IoTDAClient.new_builder().with_http_config(HttpConfig(ssl_ca_cert=API["ca_file"]))
    if derived:
        credentials = credentials.with_derived_predicate(BasicCredentials.get_default_derived_predicate())
        return builder.with_credentials(credentials).with_region(Region("cn-north-4", url)).build()
    return builder.with_credentials(credentials).with_endpoint(url).build()


def step(text):
    print(text, flush=True)


def equal(found, wanted, what=""):
    assert found == wanted, f"{what}: {found!r} is not {wanted!r}"


def until(what, look):
    """Waits for a state, within a bound; says what was seen last."""
    ends, seen = time.monotonic() + BOUND_S, None
    while time.monotonic() < ends:
        found, seen = look()
        if found:
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{what} within {BOUND_S} s; last seen: {seen!r}")


def refused(call, status, code):
    """The SDK's exception for a refused call: its status and code, and a text that says something."""
    try:
        answer = call()
    except ClientRequestException as error:
        equal((error.status_code, error.error_code), (status, code), error.error_msg)
        assert error.error_msg and error.request_id, f"{code} says nothing"
        return error
    raise AssertionError(f"{code} was wanted, and it was granted: {answer}")


def openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, text=True, cwd=FOLDER)
    assert done.returncode == 0, done.stderr
    return done.stdout


def authority(name, subject=None):
    """A root CA certificate of its own; returns its PEM."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject or f"/O=Acme/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return (FOLDER / f"{name}.crt").read_text()


def issued(ca, name, subject):
    """A certificate that `ca` has issued; returns its PEM. Certificate and key are `<name>.crt` and `<name>.key`."""
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "30",
            "-out", f"{name}.crt")
    return (FOLDER / f"{name}.crt").read_text()


def mosquitto_pub(name, topic, message):
    """One first connection with mosquitto's client; returns whether the message was acknowledged, and what was said."""
    done = subprocess.run(
        ["mosquitto_pub", "-h", SCENE["host"], "-p", str(SCENE["mqtts_port"]), "--cafile", SCENE["server_ca"],
         "--cert", f"{name}.crt", "--key", f"{name}.key", "-i", name, "-q", "1", "-V", "mqttv5", "-t", topic, "-m", message],
        capture_output=True, text=True, cwd=FOLDER, timeout=BOUND_S)
    return done.returncode == 0, done.stdout + done.stderr


class Device:
    """A device that paho connects: keeps what it is sent, and answers commands and property requests as it is told to."""

    def __init__(self, name, device_id):
        self.device_id, self.messages, self.ended = device_id, queue.Queue(), queue.Queue()
        self.answers = True
        self.mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311, reconnect_on_failure=False)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(SCENE["server_ca"])
        context.load_cert_chain(FOLDER / f"{name}.crt", FOLDER / f"{name}.key")
        self.mqtt.tls_set_context(context)
        self.mqtt.on_message, self.mqtt.on_disconnect = self.on_message, self.on_disconnect
        self.mqtt.connect(SCENE["host"], SCENE["mqtts_port"], keepalive=60)
        self.mqtt.loop_start()

    def topic(self, rest):
        return f"$oc/devices/{self.device_id}/sys/{rest}"

    def on_disconnect(self, client, userdata, flags, reason, properties):
        self.ended.put(str(reason))

    def on_message(self, client, userdata, message):
        kind, _, number = message.topic.removeprefix(self.topic("")).partition("/request_id=")
        self.messages.put((kind, message.payload.decode()))
        body = json.loads(message.payload) if kind in ("commands", "properties/set", "properties/get") else None
        if body is None or not self.answers:
            return
        reply = {
            "commands": lambda: ("commands/response", {"result_code": 0, "response_name": "DONE", "paras": {"got": body["paras"]}}),
            "properties/set": lambda: ("properties/set/response", {"result_code": 0, "result_desc": "success"}),
            "properties/get": lambda: ("properties/get/response", {"services": [{"service_id": "engine", "properties": {"rpm": 900}}]}),
        }[kind]()
        self.send(f"{reply[0]}/request_id={number}", reply[1])

    def send(self, rest, body):
        return self.mqtt.publish(self.topic(rest), json.dumps(body), qos=1)

    def next(self, kind):
        """The next message of a kind; what else came is passed over."""
        ends = time.monotonic() + BOUND_S
        while True:
            found, payload = self.messages.get(timeout=max(0.1, ends - time.monotonic()))
            if found == kind:
                return payload

    def leave(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()
