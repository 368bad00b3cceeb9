/** What the URL of this screen carries. */
export interface CaCertificatesSearch {
  /** What is searched for in names, ids and resource spaces. */
  q?: string | undefined;
  /** Whether the form of an upload is open. */
  upload?: true | undefined;
}

export function caCertificatesSearch(search: Record<string, unknown>): CaCertificatesSearch {
  const { q, upload } = search;
  return {
    ...(typeof q === "string" && q !== "" ? { q } : {}),
    ...(upload === true || upload === "true" ? { upload: true } : {}),
  };
}
