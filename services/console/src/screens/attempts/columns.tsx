import type { Column } from "../../kit/DataTable";
import { TextLink } from "../../kit/links";
import { Time } from "../../kit/Time";
import { Untrusted } from "../../kit/Untrusted";
import { texts } from "../../texts";
import type { Group } from "./groups";
import { searchOf } from "./search";

const words = texts.attempts.columns;
const number = new Intl.NumberFormat(texts.locale);
const text = (value: string | undefined) => (value === undefined ? "–" : <Untrusted text={value} />);

/** What the table of groups says of one. */
export const columns: Column<Group>[] = [
  { id: "code", header: words.code, cell: (group) => <GroupLink group={group} /> },
  { id: "ca", header: words.ca, cell: ({ caName }) => text(caName) },
  { id: "template", header: words.template, cell: ({ template }) => text(template) },
  { id: "source", header: words.source, cell: ({ source }) => text(source) },
  { id: "count", header: words.count, cell: ({ count }) => number.format(count), isNumber: true },
  {
    id: "certificates",
    header: words.certificates,
    cell: ({ certificates }) => number.format(certificates),
    isNumber: true,
  },
  { id: "first", header: words.first, cell: ({ firstAt }) => <Time at={firstAt} /> },
  { id: "last", header: words.last, cell: ({ lastAt }) => <Time at={lastAt} /> },
];

function GroupLink({ group }: { group: Group }) {
  return (
    <TextLink
      from="/instances/$instance/attempts"
      to="/instances/$instance/attempts"
      search={({ hours }) => searchOf(group, hours)}
      size="sm"
    >
      <Untrusted text={group.code} mono />
    </TextLink>
  );
}
