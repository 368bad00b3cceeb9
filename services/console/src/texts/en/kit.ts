const plural = (count: number, one: string, many: string) =>
  `${new Intl.NumberFormat("en-GB").format(count)} ${count === 1 ? one : many}`;

export const kit = {
  loading: "Loading",
  close: "Close",
  mayNot: {
    viewer: "Your role is that of a viewer: you see everything here, and make nothing.",
    limited: "This belongs to the whole instance; you may use some of its resource spaces only.",
  },
  showAll: (characters: number) => `Show all ${characters.toString()} characters`,
  copy: {
    as: "Copy as…",
    curl: "curl",
    python: "Python SDK",
    fleet: "Fleet YAML",
    copied: (form: string) => `Copied as ${form}`,
    byHand: "The browser does not let this page copy; the text is selected for you",
  },
  lines: { copy: "Copy", copied: "Copied", copyOf: (what: string) => `Copy: ${what}` },
  confirm: {
    cancel: "Cancel",
    type: (text: string) => `Type ${text} to confirm`,
  },
  impact: {
    refused: "It cannot be deleted now",
    first: "What still uses it has to be changed or deleted first.",
    devices: (devices: number, online: number) =>
      devices === 0
        ? "No device is concerned."
        : `${plural(devices, "device is", "devices are")} concerned, ${online === 0 ? "none" : online.toString()} of them online now.`,
    atLeast: "There are more than were counted.",
    users: "What names it, or belongs to it:",
    kinds: {
      certificate: "CA certificate",
      template: "Template",
      product: "Product",
      policy: "Policy",
      space: "Resource space",
    },
    more: (count: number) => `${count.toString()} more`,
  },
  table: {
    sort: (column: string, isDescending: boolean) => `Sort by ${column}, ${isDescending ? "descending" : "ascending"}`,
    more: "Loading more",
  },
  search: "Search",
  json: {
    at: (line: number, column: number, problem: string) =>
      `Line ${line.toString()}, column ${column.toString()}: ${problem}`,
    value: "a value is expected",
    key: "a key in double quotes is expected",
    twice: "this key is there already",
    colon: "“:” is expected",
    commaOrBrace: "“,” or “}” is expected",
    commaOrBracket: "“,” or “]” is expected",
    string: "this text does not end, or has a character or an escape that JSON does not allow",
    number: "this is no number of JSON",
    end: "nothing more is expected",
    deep: "this is nested too deeply",
  },
  file: {
    browse: "Browse…",
    clear: "Clear",
    hint: "Drop a file here, browse for one, or paste the text.",
    drop: "Let go to read the file",
    read: (name: string, bytes: string) => `${name}, ${bytes}`,
    der: (name: string) => `${name} is DER, the binary form; it is shown as PEM.`,
    large: (name: string, bytes: string, max: string) => `${name} has ${bytes}; at most ${max} are read.`,
    binary: (name: string) => `${name} is neither text nor DER.`,
    key: "This holds a private key. It was not taken: nothing here ever needs one, and it should stay where it is.",
    unreadable: (name: string) => `${name} cannot be read.`,
  },
  chart: {
    table: "Show the figures as a table",
    time: "Time",
    nothing: "Nothing happened in this time.",
  },
  live: {
    connecting: "Connecting",
    connected: "Live",
    reconnecting: "Reconnecting",
    cut: "Cut off",
    retry: "Connect now",
  },
};
