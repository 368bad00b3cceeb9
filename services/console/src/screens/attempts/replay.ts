/** What became of one attempt that was tried again. */
export type Outcome = { accepted: true; position: number } | { accepted: false; error: Error };

/**
 * Tries attempts again one after the other, so that a fleet's replay is no burst at the registrar; a refusal of one says
 * nothing of the next. Ends early when it is told to stop, after the one that is under way.
 */
export async function replayAll(
  positions: readonly number[],
  replay: (position: number) => Promise<{ accepted: boolean; position: number }>,
  tell: (position: number, outcome: Outcome) => void,
  isStopped: () => boolean,
): Promise<void> {
  for (const position of positions) {
    if (isStopped()) {
      return;
    }
    let outcome: Outcome;
    try {
      const answer = await replay(position);
      outcome = { accepted: true, position: answer.position };
    } catch (error) {
      outcome = { accepted: false, error: error instanceof Error ? error : new Error(String(error)) };
    }
    tell(position, outcome);
  }
}
