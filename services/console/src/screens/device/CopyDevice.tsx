import { CopyAs } from "../../kit/CopyAs";
import type { Device, Target } from "./queries";

/** The device as the API is asked for it outside the console. A fleet file declares no devices. */
export function CopyDevice({ target: { instance, project }, device }: { target: Target; device: Device }) {
  const path = `/v5/iot/${project}/devices/${encodeURIComponent(device.device_id)}`;
  return <CopyAs of={{ request: { method: "GET", path, instance } }} />;
}
