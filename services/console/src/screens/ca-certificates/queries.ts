import { queryOptions } from "@tanstack/react-query";

import { at, body, client, type Schemas } from "../../api/client";
import type { CaCertificate } from "../../api/lists";
import type { Place } from "../../api/place";
import type { Described } from "../../kit/CopyAs";
import { inSpace } from "../../kit/copy/fleet";

export type WholeCaCertificate = Schemas["WholeCertificate"];

const operation = ({ instance, project }: Place) => ({
  headers: at(instance),
  params: { path: { project_id: project } },
});
const ofCertificate = ({ instance, project }: Place, certificate: string) => ({
  headers: at(instance),
  params: { path: { project_id: project, certificate_id: certificate } },
});

const listKey = ({ instance }: Place) => ["ca-certificates", instance];

/** One of them, with its PEM. */
export const caCertificate = (place: Place, certificate: string) =>
  queryOptions({
    queryKey: [...listKey(place), certificate],
    queryFn: () =>
      body(client.GET("/v5/iot/{project_id}/certificates/{certificate_id}", ofCertificate(place, certificate))),
    refetchInterval: 5_000,
  });

/** How it is had without the console, and what a fleet file declares for it beside the file of its PEM. */
export function described({ instance, project }: Place, certificate: CaCertificate): Described {
  const { certificate_id: id, app_id, template_id, provision_enable } = certificate;
  const bound = typeof template_id === "string" ? { template: template_id, self_registration: provision_enable } : {};
  return {
    request: { method: "GET", path: `/v5/iot/${project}/certificates/${id}`, instance },
    fleet: inSpace(instance, app_id, { ca_certificates: [{ id, certificate: "ca.crt", ...bound }] }),
  };
}

/** What a PEM text holds, and what an upload of it would be refused or warned for. */
export const inspection = (pem: string) =>
  queryOptions({
    queryKey: ["inspection", pem],
    queryFn: () => body(client.POST("/rollcall/v1/certificates/inspect", { body: { content: pem } })),
    enabled: pem !== "",
    staleTime: Infinity,
  });

/** Which other instances trust the CA, and how many devices it has brought. */
export const impact = (place: Place, certificate: string) =>
  queryOptions({
    queryKey: [...listKey(place), certificate, "impact"],
    queryFn: () =>
      body(
        client.GET("/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/impact", {
          params: { path: { instance_id: place.instance, certificate_id: certificate } },
        }),
      ),
  });

const uploaded = (content: string, space: string | undefined) =>
  space === undefined ? { content } : { content, app_id: space };

/** The upload without the console. */
export const describedUpload = (
  { instance, project }: Place,
  content: string,
  space: string | undefined,
): Described => ({
  request: { method: "POST", path: `/v5/iot/${project}/certificates`, body: uploaded(content, space), instance },
});

export function upload(place: Place, content: string, space: string | undefined): Promise<CaCertificate> {
  const wanted = uploaded(content, space);
  return body(client.POST("/v5/iot/{project_id}/certificates", { ...operation(place), body: wanted }));
}

/** Proves to hold the CA's key, with a certificate that it has issued to the verification code. */
export async function prove(place: Place, certificate: string, pem: string): Promise<void> {
  await act(place, certificate, "verify", { verify_content: pem });
}

/** A new verification code in place of the old one. */
export async function issueCode(place: Place, certificate: string): Promise<void> {
  await act(place, certificate, "issue-code", {});
}

function act(place: Place, certificate: string, action: "verify" | "issue-code", wanted: Schemas["Certificate"]) {
  const { headers, params } = ofCertificate(place, certificate);
  const query = { action_id: action };
  const path = "/v5/iot/{project_id}/certificates/{certificate_id}/action";
  // A proof is answered without a body.
  return client.POST(path, { headers, params: { ...params, query }, body: wanted, parseAs: "text" });
}

/** Binds a template, switches self-registration. */
export function change(
  place: Place,
  certificate: string,
  wanted: Schemas["CertificateChange"],
): Promise<CaCertificate> {
  const path = "/v5/iot/{project_id}/certificates/{certificate_id}";
  return body(client.PUT(path, { ...ofCertificate(place, certificate), body: wanted }));
}

/** What a deletion came to. */
export interface Deleted {
  /** Whether the CA itself is refused from now on, by name and key. */
  distrusted: boolean;
  /** Verified CA certificates that may still let its devices in. */
  stillVouching: string[];
}

export async function remove(place: Place, certificate: string, distrust: boolean): Promise<Deleted> {
  const { headers, params } = ofCertificate(place, certificate);
  const path = "/v5/iot/{project_id}/certificates/{certificate_id}";
  const { response } = await client.DELETE(path, { headers, params: { ...params, query: { distrust } } });
  const vouching = response.headers.get("Rollcall-Still-Vouching") ?? "";
  return {
    distrusted: response.headers.get("Rollcall-Distrusted") === "true",
    stillVouching: vouching
      .split(",")
      .map((id) => id.trim())
      .filter((id) => id !== ""),
  };
}

/** CAs that are refused wherever they stand above a device. */
export const distrustedCas = ({ instance }: Place) =>
  queryOptions({
    queryKey: ["distrusted-cas", instance],
    queryFn: () =>
      body(
        client.GET("/rollcall/v1/instances/{instance_id}/distrusted-cas", {
          params: { path: { instance_id: instance } },
        }),
      ),
  });
