"""A paho-mqtt client behind two pipes: options as one JSON argument, commands as JSON lines on standard input, what happens
as JSON lines on standard output. It does not reconnect: a test wants to see the first answer."""

import json
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

options = json.loads(sys.argv[1])


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def described(properties):
    return properties.json() if properties is not None else {}


version = mqtt.MQTTv5 if options["version"] == 5 else mqtt.MQTTv311
kept = {} if version == mqtt.MQTTv5 else {"clean_session": options.get("clean", True)}
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=options["client_id"], protocol=version, reconnect_on_failure=False, **kept)
if options.get("user_name") is not None:
    client.username_pw_set(options["user_name"], options.get("password"))
if options.get("will"):
    client.will_set(options["will"], options.get("will_payload", "gone").encode(), qos=1)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(options["server_ca"])
context.load_cert_chain(options["certificate"], options["key"])
if options.get("tls12"):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
client.tls_set_context(context)


def on_connect(client, userdata, flags, reason, properties):
    say("connack", code=reason.value, reason=str(reason), session_present=flags.session_present, properties=described(properties))


def on_disconnect(client, userdata, flags, reason, properties):
    say("disconnect", code=reason.value, reason=str(reason), from_server=flags.is_disconnect_packet_from_server,
        properties=described(properties))


def on_publish(client, userdata, mid, reason, properties):
    say("puback", mid=mid, code=reason.value, properties=described(properties))


filters = {}


def on_subscribe(client, userdata, mid, reasons, properties):
    say("suback", filter=filters.pop(mid, None), codes=[reason.value for reason in reasons])


def on_message(client, userdata, message):
    say("message", topic=message.topic, payload=message.payload.decode("utf-8", "replace"), qos=message.qos,
        properties=described(message.properties) if version == mqtt.MQTTv5 else {})


client.on_connect = on_connect
client.on_disconnect = on_disconnect
client.on_publish = on_publish
client.on_subscribe = on_subscribe
client.on_message = on_message

arguments = {}
if version == mqtt.MQTTv5:
    arguments["clean_start"] = options.get("clean", True)
    arguments["properties"] = Properties(PacketTypes.CONNECT)
    if options.get("session_expiry_s"):
        arguments["properties"].SessionExpiryInterval = options["session_expiry_s"]
    if options.get("connect_user_properties"):
        arguments["properties"].UserProperty = [tuple(pair) for pair in options["connect_user_properties"]]
try:
    client.connect(options["host"], options["port"], keepalive=options["keep_alive"], **arguments)
except Exception as error:  # whatever stops a connection is what the test wants to see
    say("failed", error=f"{type(error).__name__}: {error}")
    sys.exit(1)

client.loop_start()
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "publish":
        client.publish(command["topic"], command["payload"], qos=command["qos"], retain=command.get("retain", False))
    elif command["do"] == "publish_zeros":
        client.publish(command["topic"], bytes(command["bytes"]), qos=1)
    elif command["do"] == "subscribe":
        _, mid = client.subscribe(command["filter"], command["qos"])
        filters[mid] = command["filter"]
    elif command["do"] == "disconnect":
        client.disconnect()
        break
client.loop_stop()
