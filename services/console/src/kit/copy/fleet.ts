/** What a fleet file declares in a resource space, as the whole document. */
export function inSpace(instance: string, space: string, declared: Record<string, unknown>): unknown {
  return { instances: [{ id: instance, resource_spaces: [{ id: space, ...declared }] }] };
}
