//! Rules on self-registration templates.

use super::{Decided, Decision, fields, membership, record_if};
use crate::{
    ids::{ProductId, SpaceId, TemplateId},
    limits,
    registry::{
        event::Event,
        state::{Ca, Configuration, Template},
    },
    rejection::{Rejection, Subject},
    template::{TemplateDraft, Value},
};

/// Products and policies that the body names must be in one space; in which one is known once a CA certificate is bound.
pub(super) fn create(
    configuration: &Configuration,
    id: &TemplateId,
    name: &str,
    description: &str,
    draft: &TemplateDraft,
) -> Decided {
    fields::template_name(name)?;
    fields::description(description)?;
    let body = draft.validate().map_err(Rejection::InvalidTemplate)?;
    if let Some(existing) = configuration.templates.get(id) {
        let same = *existing.name == *name && *existing.description == *description && existing.body == body;
        return if same { Ok(Decision::AlreadySo) } else { Err(Rejection::AlreadyExists(Subject::Template(id.clone()))) };
    }
    if let Some(holder) = configuration.templates.values().find(|other| *other.name == *name) {
        return Err(Rejection::NameTaken { name: name.into(), holder: Subject::Template(holder.id.clone()) });
    }
    membership::template_somewhere(configuration, &body)?;
    fields::limit(configuration.templates.len() + 1, limits::TEMPLATES_PER_INSTANCE_MAX, "templates in this instance")?;
    let (name, description) = (name.into(), description.into());
    Ok(Decision::Record(Event::TemplateCreated { template: id.clone(), name, description, body }))
}

pub(super) fn update(
    configuration: &Configuration,
    id: &TemplateId,
    description: Option<&str>,
    draft: Option<&TemplateDraft>,
) -> Decided {
    let existing = existing(configuration, id)?;
    let description: Box<str> = description.unwrap_or(&existing.description).into();
    fields::description(&description)?;
    let body = match draft {
        Some(draft) => draft.validate().map_err(Rejection::InvalidTemplate)?,
        None => existing.body.clone(),
    };
    if existing.description == description && existing.body == body {
        return Ok(Decision::AlreadySo);
    }
    if existing.body != body {
        membership::template_somewhere(configuration, &body)?;
        for ca in bound_to(configuration, id) {
            membership::template(configuration, &ca.space, &body)?;
        }
    }
    record_if(true, Event::TemplateUpdated { template: id.clone(), description, body })
}

pub(super) fn delete(configuration: &Configuration, id: &TemplateId) -> Decided {
    existing(configuration, id)?;
    if let Some(ca) = bound_to(configuration, id).next() {
        let user = Subject::Ca(ca.id.clone()).to_string();
        return Err(Rejection::InUse { subject: Subject::Template(id.clone()), user });
    }
    Ok(Decision::Record(Event::TemplateDeleted { template: id.clone() }))
}

/// A template that names the product outright and is bound to a CA certificate of its space.
pub(super) fn in_force_for<'a>(
    configuration: &'a Configuration,
    space: &SpaceId,
    product: &ProductId,
) -> Option<&'a Template> {
    let bound = configuration.cas.values().filter(|ca| ca.space == *space).filter_map(|ca| ca.template.as_ref());
    let mut templates = bound.filter_map(|id| configuration.templates.get(id));
    templates.find(|template| matches!(&template.body.product_id, Value::Static(named) if **named == *product.as_str()))
}

fn bound_to<'a>(configuration: &'a Configuration, id: &'a TemplateId) -> impl Iterator<Item = &'a Ca> {
    configuration.cas.values().filter(move |ca| ca.template.as_ref() == Some(id))
}

pub(super) fn existing<'a>(configuration: &'a Configuration, id: &TemplateId) -> Result<&'a Template, Rejection> {
    configuration.templates.get(id).ok_or_else(|| Rejection::NotFound(Subject::Template(id.clone())))
}
