import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { keyOfAttempts, replay } from "./queries";
import { type Outcome, replayAll } from "./replay";

export interface Replaying {
  state: "idle" | "running" | "stopping" | "done";
  /** By the position of the attempt. */
  outcomes: ReadonlyMap<number, Outcome>;
  /** How many are to be tried in all. */
  total: number;
  start: (positions: number[]) => void;
  stop: () => void;
}

/** The replay of many attempts, which goes on until it is done, stopped, or left. */
export function useReplay(instance: string): Replaying {
  const [state, setState] = useState<Replaying["state"]>("idle");
  const [outcomes, setOutcomes] = useState<ReadonlyMap<number, Outcome>>(new Map());
  const [total, setTotal] = useState(0);
  const stopped = useRef(false);
  const queries = useQueryClient();
  useEffect(
    () => () => {
      stopped.current = true;
    },
    [],
  );
  return {
    state,
    outcomes,
    total,
    start: (positions) => {
      stopped.current = false;
      setTotal(positions.length);
      setOutcomes(new Map());
      setState("running");
      const tell = (position: number, outcome: Outcome) =>
        setOutcomes((before) => new Map(before).set(position, outcome));
      void replayAll(
        positions,
        (position) => replay(instance, position),
        tell,
        () => stopped.current,
      ).then(() => {
        setState("done");
        return queries.invalidateQueries({ queryKey: keyOfAttempts(instance) });
      });
    },
    stop: () => {
      stopped.current = true;
      setState("stopping");
    },
  };
}
