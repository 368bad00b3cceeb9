import { useEffect, useEffectEvent } from "react";

/** Whether a key is meant for what has the focus: a field, a menu, or a dialog that is open. */
export function isTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing) {
    return true;
  }
  const target = event.target instanceof Element ? event.target : document.body;
  const isTyping = target.closest("input, textarea, select, [contenteditable], [role=menu], [role=listbox]") !== null;
  return isTyping || document.querySelector("[role=dialog][aria-modal=true]") !== null;
}

/** Does something at a key of its own, anywhere on the page, but where somebody types. */
export function useKey(key: string, act: (event: KeyboardEvent) => void) {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.key === key && !event.ctrlKey && !event.metaKey && !event.altKey && !isTaken(event)) {
      event.preventDefault();
      act(event);
    }
  });
  useEffect(() => {
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
