import { useParams } from "@tanstack/react-router";

import { useOperator } from "./session";

/** Where an operation of the v5 API acts: an instance, in the operator's project. */
export interface Place {
  instance: string;
  project: string;
}

/** The place that the URL names. */
export function usePlace(): Place {
  const { instance } = useParams({ strict: false });
  const { project_id: project } = useOperator();
  if (instance === undefined) {
    throw new Error("this screen is of an instance, and its URL names none");
  }
  return { instance, project };
}
