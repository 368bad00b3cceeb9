// MQTT.js as its manual shows it; QoS 0 and reconnecting where the manual leaves that to the library. Options as one JSON
// argument, what happens as JSON lines on standard output; `python.py` has the same.

const { readFileSync, writeSync } = require("node:fs");
const mqtt = require("mqtt");

const options = JSON.parse(process.argv[2]);
const isVersion5 = options.client === "mqttjs-5";

// Written at once: a killed program leaves nothing in a buffer.
const say = (event, fields) => writeSync(1, `${JSON.stringify({ event, ...fields })}\n`);

const client = mqtt.connect({
  protocol: "mqtts",
  host: options.host,
  port: options.port,
  protocolVersion: isVersion5 ? 5 : 4,
  clientId: options.client_id,
  clean: !options.keep,
  properties: isVersion5 && options.keep ? { sessionExpiryInterval: 600 } : undefined,
  will: options.scenario === "will" ? { topic: options.topic, payload: "gone", qos: 1 } : undefined,
  ca: readFileSync(options.server_ca),
  cert: readFileSync(options.certificate),
  key: readFileSync(options.key),
});

function publish(qos, published) {
  for (let number = 0; number < options.count; number += 1) {
    client.publish(options.topic, `${options.scenario}-${number}`, { qos }, published);
  }
}

let acknowledged = 0;
const scenarios = {
  connect() {
    client.end();
  },
  leave() {
    publish(0);
    client.end();
  },
  burst() {
    publish(1, (error) => {
      acknowledged += error ? 0 : 1;
      if (acknowledged === options.count) {
        client.end();
      }
    });
  },
  subscribe() {
    client.subscribe(options.topic, { qos: 1 }, () => client.end());
  },
  listen() {
    client.subscribe(options.topic, { qos: 1 });
  },
  command() {},
  will() {},
};

client.on("connect", (connack) => {
  say("connected", { session_present: connack.sessionPresent });
  scenarios[options.scenario]();
});

// When it is connected again it subscribes by itself, which calls nothing back.
client.on("packetreceive", (packet) => {
  if (packet.cmd === "suback") {
    say("subscribed", { granted: packet.granted[0] });
  }
});

client.on("message", (topic, payload) => {
  say("message", { topic, payload: payload.toString() });
  if (options.scenario === "command") {
    const answer = { result_code: 0, response_name: "DONE", paras: JSON.parse(payload.toString()).paras };
    client.publish(topic.replace("/commands/", "/commands/response/"), JSON.stringify(answer));
    client.end();
  } else if (payload.toString() === "last") {
    client.end();
  }
});

client.on("error", (error) => console.error(error));
