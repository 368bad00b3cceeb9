/** What the API said instead of what was asked for. */
export class ApiError extends Error {
  readonly status: number;
  /** The stable code; its page is in docs/operate/codes. */
  readonly code: string;
  /** What to name when asking somebody about it. */
  readonly requestId: string | undefined;

  constructor(status: number, code: string, message: string, requestId?: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

interface Refusal {
  error_code?: unknown;
  error_msg?: unknown;
}

const text = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);

/** Of an answer that is no success. */
export function refused(response: Response, body: unknown): ApiError {
  const refusal: Refusal = typeof body === "object" && body !== null ? body : {};
  const message = text(refusal.error_msg, response.statusText || `HTTP ${response.status}`);
  const id = response.headers.get("x-request-id") ?? undefined;
  return new ApiError(response.status, text(refusal.error_code, `HTTP ${response.status}`), message, id);
}
