"""paho, aiomqtt and gmqtt as their manuals show them; QoS 0 and reconnecting where the manual leaves that to the library.

Options as one JSON argument: how to reach the server, `client`, `client_id`, `scenario`, `topic`, `count` of messages, and
`keep` for a session that outlives its connection. What happens is said as JSON lines on standard output. Scenarios:

connect     connect and leave
leave       connect, publish `count` messages, leave
burst       connect, publish `count` messages at QoS 1 at once, leave when all are acknowledged
subscribe   connect, subscribe at QoS 1, leave
listen      the same, and leave when the message `last` has come
command     connect, answer one command, leave
will        connect with a will, and stay
"""

import asyncio
import json
import os
import ssl
import sys
import threading

OPTIONS = json.loads(sys.argv[1])
CLIENT, SCENARIO, TOPIC, KEEP = OPTIONS["client"], OPTIONS["scenario"], OPTIONS.get("topic"), OPTIONS.get("keep", False)
ADDRESS = OPTIONS["host"], OPTIONS["port"]
PAYLOADS = [f"{SCENARIO}-{number}" for number in range(OPTIONS.get("count", 0))]


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def context():
    made = ssl.create_default_context(cafile=OPTIONS["server_ca"])
    made.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    return made


def answer(topic, payload):
    """The topic and payload of the answer to a command."""
    body = {"result_code": 0, "response_name": "DONE", "paras": json.loads(payload)["paras"]}
    return topic.replace("/commands/", "/commands/response/"), json.dumps(body)


def is_last(payload):
    return SCENARIO == "command" or payload == b"last"


def paho_leaves(version):
    from paho.mqtt import publish

    tls = {"ca_certs": OPTIONS["server_ca"], "certfile": OPTIONS["certificate"], "keyfile": OPTIONS["key"]}
    messages = [{"topic": TOPIC, "payload": payload} for payload in PAYLOADS]
    publish.multiple(messages, *ADDRESS, OPTIONS["client_id"], 60, tls=tls, protocol=version)


def paho(version):
    import paho.mqtt.client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    done = threading.Event()
    of_version, of_connect = {"clean_session": not KEEP}, {}
    if version == mqtt.MQTTv5:
        of_version, of_connect = {}, {"clean_start": not KEEP, "properties": Properties(PacketTypes.CONNECT)}
        of_connect["properties"].SessionExpiryInterval = 600 if KEEP else 0

    def on_connect(client, userdata, flags, reason, properties):
        say("connected", session_present=flags.session_present)
        if SCENARIO in ("subscribe", "listen"):
            client.subscribe(TOPIC, 1)
        elif SCENARIO == "connect":
            done.set()

    def on_subscribe(client, userdata, mid, reasons, properties):
        say("subscribed", granted=reasons[0].value)
        if SCENARIO == "subscribe":
            done.set()

    def on_message(client, userdata, message):
        say("message", topic=message.topic, payload=message.payload.decode())
        if SCENARIO == "command":
            client.publish(*answer(message.topic, message.payload))
        if is_last(message.payload):
            done.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, OPTIONS["client_id"], protocol=version, **of_version)
    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.tls_set_context(context())
    if SCENARIO == "will":
        client.will_set(TOPIC, "gone", qos=1)
    client.connect(*ADDRESS, **of_connect)
    client.loop_start()
    if SCENARIO == "burst":
        for message in [client.publish(TOPIC, payload, qos=1) for payload in PAYLOADS]:
            message.wait_for_publish()
    else:
        done.wait()
    client.disconnect()
    client.loop_stop()


async def aiomqtt():
    from aiomqtt import Client, MqttError, Will

    will = Will(TOPIC, "gone", qos=1) if SCENARIO == "will" else None
    # None is what its manual leaves it at.
    clean = False if KEEP else None

    async def session():
        # Its own 10 s for an acknowledgement are little where every core compiles.
        of_session = {"identifier": OPTIONS["client_id"], "clean_session": clean, "will": will, "timeout": 60}
        async with Client(*ADDRESS, tls_context=context(), **of_session) as client:
            say("connected")
            if SCENARIO in ("subscribe", "listen"):
                say("subscribed", granted=(await client.subscribe(TOPIC, qos=1))[0].value)
            elif SCENARIO == "leave":
                for payload in PAYLOADS:
                    await client.publish(TOPIC, payload)
            elif SCENARIO == "burst":
                await asyncio.gather(*(client.publish(TOPIC, payload, qos=1) for payload in PAYLOADS))
            if SCENARIO not in ("listen", "command", "will"):
                return
            async for message in client.messages:
                say("message", topic=str(message.topic), payload=message.payload.decode())
                if SCENARIO == "command":
                    await client.publish(*answer(str(message.topic), message.payload))
                if is_last(message.payload):
                    return

    while True:
        try:
            return await session()
        except MqttError as error:
            print(error, file=sys.stderr)
            await asyncio.sleep(1)


async def gmqtt():
    from gmqtt import Client, Message
    from gmqtt.storage import PersistentStorage

    done, subscribed, storage = asyncio.Event(), asyncio.Event(), PersistentStorage()
    will = Message(TOPIC, "gone", qos=1) if SCENARIO == "will" else None
    of_session = {"clean_session": False, "session_expiry_interval": 600} if KEEP else {}
    client = Client(OPTIONS["client_id"], will_message=will, persistent_storage=storage, **of_session)

    def on_connect(client, flags, code, properties):
        say("connected", session_present=bool(flags & 1))
        if SCENARIO in ("subscribe", "listen"):
            client.subscribe(TOPIC, qos=1)

    def on_subscribe(client, mid, granted, properties):
        say("subscribed", granted=granted[0])
        subscribed.set()

    async def on_message(client, topic, payload, qos, properties):
        say("message", topic=topic, payload=payload.decode())
        if SCENARIO == "command":
            client.publish(*answer(topic, payload))
        if is_last(payload):
            done.set()
        return 0

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    await client.connect(*ADDRESS, ssl=context())
    for payload in PAYLOADS:
        while True:
            try:
                client.publish(TOPIC, payload, qos=1 if SCENARIO == "burst" else 0)
                break
            except OverflowError:
                # It keeps to Receive Maximum by refusing what is beyond.
                await asyncio.sleep(0.01)
    if SCENARIO == "burst":
        await storage.wait_empty()
    # What comes after its goodbye is an error of Python's TLS.
    if SCENARIO in ("subscribe", "listen"):
        await subscribed.wait()
    if SCENARIO in ("listen", "command", "will"):
        await done.wait()
    await client.disconnect()


match CLIENT:
    case "paho-3.1.1" | "paho-5":
        (paho_leaves if SCENARIO == "leave" else paho)(5 if CLIENT == "paho-5" else 4)
    case "aiomqtt":
        asyncio.run(aiomqtt())
    case "gmqtt":
        asyncio.run(gmqtt())
# Threads of a library must not keep the program.
sys.stdout.flush()
os._exit(0)
