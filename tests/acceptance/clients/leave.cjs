// MQTT.js in the pattern that its manual begins with: publish(), end(). QoS 0, its default.

const { readFileSync } = require("node:fs");
const mqtt = require("mqtt");

const options = JSON.parse(process.argv[2]);
const client = mqtt.connect({
  protocol: "mqtts",
  host: options.host,
  port: options.port,
  protocolVersion: options.client === "mqttjs-5" ? 5 : 4,
  reconnectPeriod: 0,
  ca: readFileSync(options.server_ca),
  cert: readFileSync(options.certificate),
  key: readFileSync(options.key),
});
client.on("connect", () => {
  for (let number = 0; number < options.count; number += 1) {
    client.publish(options.topic, `${options.client}-${number}`);
  }
  client.end();
});
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
