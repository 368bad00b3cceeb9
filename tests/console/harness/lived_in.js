// A fleet that something has happened in, so that screens show what they are for.

import { certificate, publish, stayOnline } from "./devices.js";

const REPORT = JSON.stringify({ services: [{ service_id: "engine", properties: { rpm: 900 }, event_time: null }] });

/** Registers trucks, leaves one online, and has one refused. Returns the ids that screens need, and what ends the connection. */
export async function liveIn(server) {
  const { device_certificate_file: crt, device_key_file: key } = server.up.demo;
  const first = { name: "truck-0001", crt, key };
  const report = (device) => publish(server, device, `$oc/devices/truck_${device.name}/sys/properties/report`, REPORT);
  const registered = [await report(first)];
  for (const name of ["truck-0002", "truck-0003", "truck-0004"]) {
    registered.push(await report(await certificate(server, name, `/CN=${name}/O=Acme`)));
  }
  if (registered.includes(false)) {
    throw new Error(`a truck was not let in: ${server.errors()}`);
  }
  // The template takes the organization, which this one does not have.
  if (await report(await certificate(server, "truck-0666", "/CN=truck-0666"))) {
    throw new Error("a certificate without an organization was let in");
  }
  const online = await stayOnline(server, first, "$oc/devices/truck_truck-0001/sys/messages/down");
  const { certificates } = await server.api("GET", "/certificates", { instance: "north" });
  const { attempts } = await server.api("GET", "/rollcall/v1/instances/north/attempts");
  return { ids: { certificate: certificates[0].certificate_id, attempt: attempts[0].position }, online };
}
