/** By key, each in the order of its first. `Map.groupBy` does the same, where Node is 21 or newer. */
export function grouped<Key, Value>(list: readonly Value[], keyOf: (value: Value) => Key): [Key, Value[]][] {
  const groups = new Map<Key, Value[]>();
  for (const value of list) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, [value]);
    } else {
      group.push(value);
    }
  }
  return [...groups];
}
