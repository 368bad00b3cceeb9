/** Whether one of the texts holds what is searched for, in any case; nothing searched for is in every text. */
export function contains(texts: string[], wanted: string): boolean {
  const sought = wanted.trim().toLowerCase();
  return texts.some((text) => text.toLowerCase().includes(sought));
}
