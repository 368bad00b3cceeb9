/** A request to the public API, as somebody would make it without the console. */
export interface DescribedRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its parameters filled in and its query, such as `/v5/iot/p1/devices?limit=50`. */
  path: string;
  /** What is sent as JSON. */
  body?: unknown;
  /** The instance that a v5 operation is meant for; `/rollcall/v1` has it in the path. */
  instance?: string;
}

/** What a screen shows or is about to make. */
export interface Described {
  request: DescribedRequest;
  /** What a fleet file declares for the same thing: the whole document, from `instances` on. Absent where it declares no such thing. */
  fleet?: unknown;
}
