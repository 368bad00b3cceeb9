"""Clients in the pattern that their manuals begin with: connect, publish, leave. QoS 0, their default."""

import asyncio
import json
import ssl
import sys

OPTIONS = json.loads(sys.argv[1])
TOPIC = OPTIONS["topic"]
PAYLOADS = [f"{OPTIONS['client']}-{number}" for number in range(OPTIONS["count"])]


def context():
    made = ssl.create_default_context(cafile=OPTIONS["server_ca"])
    made.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    return made


def paho(version):
    from paho.mqtt import publish

    tls = {"ca_certs": OPTIONS["server_ca"], "certfile": OPTIONS["certificate"], "keyfile": OPTIONS["key"]}
    messages = [{"topic": TOPIC, "payload": payload} for payload in PAYLOADS]
    publish.multiple(messages, OPTIONS["host"], OPTIONS["port"], "paho", 60, tls=tls, protocol=version)


async def aiomqtt():
    from aiomqtt import Client

    async with Client(OPTIONS["host"], OPTIONS["port"], tls_context=context()) as client:
        for payload in PAYLOADS:
            await client.publish(TOPIC, payload)


async def gmqtt():
    from gmqtt import Client

    client = Client("gmqtt")
    await client.connect(OPTIONS["host"], OPTIONS["port"], ssl=context())
    for payload in PAYLOADS:
        client.publish(TOPIC, payload)
    await client.disconnect()


match OPTIONS["client"]:
    case "paho-3.1.1":
        paho(4)
    case "paho-5":
        paho(5)
    case "aiomqtt":
        asyncio.run(aiomqtt())
    case "gmqtt":
        asyncio.run(gmqtt())
