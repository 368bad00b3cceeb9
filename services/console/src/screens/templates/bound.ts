import type { CaCertificate, Template } from "../../api/lists";

/** Templates that an instance may have (decision of the v5 API). */
export const TEMPLATES_MAX = 10;

export interface Row {
  template: Template;
  /** The CA certificates whose devices go by it. */
  bound: CaCertificate[];
}

/** The templates that a search finds, each with the CA certificates that it is bound to. */
export function rowsOf(templates: Template[], certificates: CaCertificate[], q = ""): Row[] {
  const wanted = q.trim().toLowerCase();
  const found = ({ template_name, template_id, description }: Template) =>
    [template_name, template_id, description].some((text) => text.toLowerCase().includes(wanted));
  return templates.filter(found).map((template) => ({
    template,
    bound: certificates.filter(({ template_id }) => template_id === template.template_id),
  }));
}
