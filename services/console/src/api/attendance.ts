// Whether somebody is at the page: screens ask again and again by themselves, and the session of whoever has left one open
// has to end all the same.

/** How long after the last touch somebody still is, ms. */
const ATTENDED_MS = 60_000;

const TOUCHES = ["pointerdown", "pointermove", "keydown", "click", "wheel", "touchstart", "input"] as const;

let touchedAt = Date.now();

for (const touch of TOUCHES) {
  window.addEventListener(touch, () => (touchedAt = Date.now()), { capture: true, passive: true });
}

/** Whether a request now is likely caused by a person. */
export function isAttended(): boolean {
  return Date.now() - touchedAt < ATTENDED_MS;
}
