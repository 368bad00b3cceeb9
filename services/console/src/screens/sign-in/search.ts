export interface SignInSearch {
  /** Where to go after it; a path of this console. */
  to?: string;
}

/** Another site's address is none of this console's. */
export function signInSearch(search: Record<string, unknown>): SignInSearch {
  const { to } = search;
  return typeof to === "string" && /^\/(?![/\\])/.test(to) ? { to } : {};
}
