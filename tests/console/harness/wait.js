// Waiting for a state, with a bound; a timeout says the last state seen.

const BOUND_MS = 30_000;
const POLL_MS = 50;

/**
 * Waits until `state` returns something other than undefined, null or false, and returns it. What it throws counts as not yet.
 */
export async function until(what, state, boundMs = BOUND_MS) {
  const end = performance.now() + boundMs;
  let last = "nothing";
  for (;;) {
    try {
      const seen = await state();
      if (seen !== undefined && seen !== null && seen !== false) {
        return seen;
      }
      last = String(seen);
    } catch (error) {
      last = String(error);
    }
    if (performance.now() > end) {
      throw new Error(`waited ${boundMs} ms for ${what}; last: ${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
