//! `evolve` for everything of an instance but its devices.

use std::collections::btree_map::Entry;

use crate::{
    ids::{CaId, PolicyId, ProductId, SpaceId},
    policy::{self, Policy},
    registry::{
        event::{CaCertificate, Event, PolicyTarget},
        state::{Ca, CaStatus, Configuration, Distrusted, Product, Space, Template},
    },
    time::Timestamp,
};

impl Configuration {
    /// Applies an event; those that are about devices change nothing here. `at` is the record's time.
    pub fn evolve(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::SpaceCreated { .. } | Event::SpaceRenamed { .. } | Event::SpaceDeleted { .. } => {
                self.evolve_spaces(event, at);
            }
            Event::ProductCreated { .. } | Event::ProductUpdated { .. } | Event::ProductDeleted { .. } => {
                self.evolve_products(event, at);
            }
            Event::PolicyCreated { .. }
            | Event::PolicyUpdated { .. }
            | Event::PolicyDeleted { .. }
            | Event::PolicyBound { .. }
            | Event::PolicyUnbound { .. } => self.evolve_policies(event, at),
            Event::TemplateCreated { .. } | Event::TemplateUpdated { .. } | Event::TemplateDeleted { .. } => {
                self.evolve_templates(event, at);
            }
            Event::CaUploaded { .. }
            | Event::CaCodeIssued { .. }
            | Event::CaVerified { .. }
            | Event::CaConfigured { .. }
            | Event::CaDeleted { .. } => self.evolve_cas(event, at),
            Event::DeviceRegistered { .. }
            | Event::DevicePreRegistered { .. }
            | Event::DeviceCertificatePinned { .. }
            | Event::DeviceCertificateReplaced { .. }
            | Event::DeviceUpdated { .. }
            | Event::DeviceTagsChanged { .. }
            | Event::DeviceFrozen { .. }
            | Event::DeviceUnfrozen { .. }
            | Event::DeviceFingerprintReset { .. }
            | Event::DeviceCertificateSwitched { .. }
            | Event::DeviceDeleted { .. }
            | Event::DeviceReadmitted { .. }
            | Event::CertificateRetired { .. }
            | Event::CertificateReadmitted { .. }
            | Event::RetiredForgotten { .. } => {}
        }
    }

    fn evolve_spaces(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::SpaceCreated { space, name, default_space, default_policy } => {
                let Entry::Vacant(vacant) = self.spaces.entry(space.clone()) else { return };
                let mut policies = Vec::new();
                if let Some(default_policy) = default_policy
                    && let Entry::Vacant(free) = self.policies.entry(default_policy.clone())
                {
                    self.policies_made += 1;
                    free.insert(policy::system_default(default_policy.clone(), self.policies_made, space.clone(), at));
                    policies.push(default_policy.clone());
                }
                let (id, name) = (space.clone(), name.clone());
                vacant.insert(Space { id, name, default_space: *default_space, created_at: at, policies });
            }
            Event::SpaceRenamed { space, name } => {
                if let Some(space) = self.spaces.get_mut(space) {
                    space.name = name.clone();
                }
            }
            Event::SpaceDeleted { space } if !self.is_used(space) => {
                self.spaces.remove(space);
                let gone: Vec<PolicyId> =
                    self.policies.values().filter(|policy| policy.space == *space).map(|policy| policy.id.clone()).collect();
                for policy in gone {
                    self.remove_policy(&policy);
                }
            }
            _ => {}
        }
    }

    /// Whether products or CA certificates keep a space from going.
    fn is_used(&self, space: &SpaceId) -> bool {
        self.products.values().any(|product| product.space == *space) || self.cas.values().any(|ca| ca.space == *space)
    }

    fn evolve_products(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::ProductCreated { space, product, details } => {
                if !self.spaces.contains_key(space) {
                    return;
                }
                self.products.entry(key(space, product)).or_insert_with(|| Product {
                    id: product.clone(),
                    space: space.clone(),
                    details: details.clone(),
                    created_at: at,
                    policies: Vec::new(),
                });
            }
            Event::ProductUpdated { space, product, details } => {
                if let Some(product) = self.products.get_mut(&key(space, product)) {
                    product.details = details.clone();
                }
            }
            Event::ProductDeleted { space, product } => {
                self.products.remove(&key(space, product));
            }
            _ => {}
        }
    }

    fn evolve_policies(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::PolicyCreated { policy, space, name, statements } => {
                if !self.spaces.contains_key(space) {
                    return;
                }
                if let Entry::Vacant(free) = self.policies.entry(policy.clone()) {
                    self.policies_made += 1;
                    free.insert(Policy {
                        id: policy.clone(),
                        made: self.policies_made,
                        space: space.clone(),
                        name: name.clone(),
                        statements: statements.clone(),
                        created_at: at,
                        updated_at: at,
                    });
                }
            }
            Event::PolicyUpdated { policy, name, statements } => {
                if let Some(policy) = self.policies.get_mut(policy) {
                    policy.name = name.clone();
                    policy.statements = statements.clone();
                    policy.updated_at = at;
                }
            }
            Event::PolicyDeleted { policy } => self.remove_policy(policy),
            Event::PolicyBound { policy, target } => {
                if !self.policies.contains_key(policy) {
                    return;
                }
                if let Some(bound) = self.bound_to(target)
                    && !bound.contains(policy)
                {
                    bound.push(policy.clone());
                }
            }
            Event::PolicyUnbound { policy, target } => {
                if let Some(bound) = self.bound_to(target) {
                    bound.retain(|other| other != policy);
                }
            }
            _ => {}
        }
    }

    /// The list of a target that is a product or a space; a device keeps its own.
    fn bound_to(&mut self, target: &PolicyTarget) -> Option<&mut Vec<PolicyId>> {
        match target {
            PolicyTarget::Space(space) => self.spaces.get_mut(space).map(|space| &mut space.policies),
            PolicyTarget::Product(space, product) => {
                self.products.get_mut(&key(space, product)).map(|product| &mut product.policies)
            }
            PolicyTarget::Device(_) => None,
        }
    }

    fn remove_policy(&mut self, policy: &PolicyId) {
        self.policies.remove(policy);
        let spaces = self.spaces.values_mut().map(|space| &mut space.policies);
        let products = self.products.values_mut().map(|product| &mut product.policies);
        for bound in spaces.chain(products) {
            bound.retain(|other| other != policy);
        }
    }

    fn evolve_templates(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::TemplateCreated { template, name, description, body } => {
                self.templates.entry(template.clone()).or_insert_with(|| Template {
                    id: template.clone(),
                    name: name.clone(),
                    description: description.clone(),
                    body: body.clone(),
                    version: 1,
                    created_at: at,
                    updated_at: at,
                });
            }
            Event::TemplateUpdated { template, description, body } => {
                if let Some(template) = self.templates.get_mut(template) {
                    template.description = description.clone();
                    template.body = body.clone();
                    template.version = template.version.saturating_add(1);
                    template.updated_at = at;
                }
            }
            Event::TemplateDeleted { template } if !self.cas.values().any(|ca| ca.template.as_ref() == Some(template)) => {
                self.templates.remove(template);
            }
            _ => {}
        }
    }

    fn evolve_cas(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::CaUploaded { ca, space, certificate, code, code_expires_at } => {
                if !self.spaces.contains_key(space) {
                    return;
                }
                let status = CaStatus::AwaitingProof { code: code.clone(), expires_at: *code_expires_at };
                self.cas.entry(ca.clone()).or_insert_with(|| uploaded(ca.clone(), space.clone(), certificate, status, at));
            }
            Event::CaCodeIssued { ca, code, code_expires_at } => {
                if let Some(ca) = self.cas.get_mut(ca)
                    && !ca.is_verified()
                {
                    ca.status = CaStatus::AwaitingProof { code: code.clone(), expires_at: *code_expires_at };
                }
            }
            Event::CaVerified { ca } => {
                if let Some(ca) = self.cas.get_mut(ca)
                    && !ca.is_verified()
                {
                    ca.status = CaStatus::Verified { at };
                    let (space, ca) = (ca.space.clone(), ca.name_and_key_sha256);
                    if self.may_forgive(&ca, &space) {
                        self.distrusted.remove(&ca);
                    }
                }
            }
            Event::CaConfigured { ca, template, self_registration } => {
                if template.as_ref().is_some_and(|template| !self.templates.contains_key(template)) {
                    return;
                }
                if let Some(ca) = self.cas.get_mut(ca) {
                    ca.template = template.clone();
                    ca.self_registration = *self_registration && template.is_some();
                }
            }
            Event::CaDeleted { ca, distrust } => {
                let Some(gone) = self.cas.remove(ca) else { return };
                if *distrust {
                    let Ca { id: ca, space, cn_name, name_and_key_sha256, .. } = gone;
                    self.distrusted.insert(name_and_key_sha256, Distrusted { space, ca, cn_name, since: at });
                }
            }
            _ => {}
        }
    }
}

fn key(space: &SpaceId, product: &ProductId) -> (SpaceId, ProductId) {
    (space.clone(), product.clone())
}

fn uploaded(id: CaId, space: SpaceId, certificate: &CaCertificate, status: CaStatus, at: Timestamp) -> Ca {
    Ca {
        id,
        space,
        der: certificate.der.clone(),
        cn_name: certificate.cn_name.clone(),
        sha256: certificate.sha256,
        name_and_key_sha256: certificate.name_and_key_sha256,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        status,
        template: None,
        self_registration: false,
        created_at: at,
    }
}
