import { isObject, type Json } from "./json";

/** A value that is not as it was; absent on the side where it is not. */
export interface Change {
  path: string;
  before?: string;
  after?: string;
}

/** What differs between two bodies, in the order of the paths of the newer one. */
export function changesOf(before: Json, after: Json): Change[] {
  const old = new Map(leaves(before, ""));
  const now = new Map(leaves(after, ""));
  const paths = new Set([...now.keys(), ...old.keys()]);
  return [...paths].flatMap((path) => {
    const was = old.get(path);
    const is = now.get(path);
    if (was === is) {
      return [];
    }
    return [{ path, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }];
  });
}

function leaves(value: Json, path: string): [string, string][] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  }
  if (isObject(value) && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([name, item]) => leaves(item, path === "" ? name : `${path}.${name}`));
  }
  return [[path, JSON.stringify(value)]];
}
