import { useNavigate, useParams } from "@tanstack/react-router";

import { TextLink } from "../../kit/links";
import { Untrusted } from "../../kit/Untrusted";

/** The way to a device; the list remembers where it was left, for who comes back. */
export function DeviceLink({ device, index }: { device: string; index: number }) {
  const { instance = "" } = useParams({ strict: false });
  const navigate = useNavigate({ from: "/instances/$instance/devices" });
  const remember = () =>
    void navigate({ search: (search) => ({ ...search, row: index }), replace: true, resetScroll: false });
  return (
    <TextLink
      to="/instances/$instance/devices/$device"
      params={{ instance, device }}
      data-row={index}
      onFocus={remember}
      size="sm"
    >
      <Untrusted text={device} />
    </TextLink>
  );
}
