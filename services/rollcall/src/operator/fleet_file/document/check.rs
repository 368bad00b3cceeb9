//! From the shape of a fleet file to checked values: ids, templates, policies and certificates by the domain's own rules,
//! so that what passes here is rejected by the registrar only for what the registry holds.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use rollcall_chassis::pem::read_certificate;
use rollcall_domain::{
    fleet::{Edition, InstanceDraft},
    ids::{CaId, IdError, InstanceId, PolicyId, ProductId, SpaceId, TemplateId},
    policy,
    registry::ProductDetails,
};
use rollcall_log::codec;
use serde_saphyr::Spanned;

use super::{
    BrokenRule, CaDeclaration, Declared, DefaultPolicy, InstanceDeclaration, Place, PolicyDeclaration, ProductDeclaration,
    Proof, SpaceDeclaration, TemplateDeclaration,
    shape::{RawCa, RawDefaultPolicy, RawEdition, RawInstance, RawPolicy, RawProduct, RawProof, RawSpace, RawTemplate},
};

/// Turns raw values into checked ones and collects what is wrong. A faulty item is left out; the faults stop the file.
pub(super) struct Checker<'a> {
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    /// What `$DATA` stands for.
    pub(super) data: &'a Path,
    /// What is wrong, in the order of the file.
    pub(super) faults: Vec<BrokenRule>,
    /// Lines of fields that rules are asked about later, by path.
    pub(super) lines: BTreeMap<String, u64>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(folder: &'a Path, data: &'a Path) -> Self {
        Self { folder, data, faults: Vec::new(), lines: BTreeMap::new() }
    }
}

impl Checker<'_> {
    /// Refuses what is declared twice: the two would take turns at every application.
    pub(super) fn unique(&mut self, instances: &[Declared<InstanceDeclaration>]) {
        let named = |declared: &Declared<InstanceDeclaration>| declared.item.instance.id.to_string();
        self.each_once("instance", instances, named);
        self.each_once("access domain", instances, |declared| declared.item.instance.access_domain.to_string());
        for instance in instances {
            let spaces = &instance.item.spaces;
            self.each_once("resource space", spaces, |space| space.item.id.to_string());
            self.each_once("template", &instance.item.templates, |template| template.item.id.to_string());
            let of_all = spaces.iter().flat_map(|space| &space.item.policies);
            self.each_once("policy", of_all, |policy| policy.item.id.to_string());
            let of_all = spaces.iter().flat_map(|space| &space.item.cas);
            self.each_once("CA certificate", of_all, |ca| ca.item.id.to_string());
            for space in spaces {
                self.each_once("product", &space.item.products, |product| product.item.id.to_string());
            }
        }
    }

    fn each_once<'d, T: 'd>(
        &mut self,
        what: &str,
        declared: impl IntoIterator<Item = &'d Declared<T>>,
        name: impl Fn(&Declared<T>) -> String,
    ) {
        let mut first_lines = HashMap::new();
        for item in declared {
            let line = item.place.line;
            if let Some(first) = first_lines.insert(name(item), line) {
                let rule = format!("{what} {} is declared at line {first} already", name(item));
                self.fault::<()>(item.place.clone(), rule);
            }
        }
    }

    /// Checks each item of a list at its own place.
    pub(super) fn each<R, T>(
        &mut self,
        field: &str,
        raw: &[Spanned<R>],
        check: fn(&mut Self, &Place, &R) -> Option<T>,
    ) -> Vec<Declared<T>> {
        let mut declared = Vec::with_capacity(raw.len());
        for (index, item) in raw.iter().enumerate() {
            let place = Place { line: item.referenced.line(), field: format!("{field}[{index}]") };
            if let Some(item) = check(self, &place, &item.value) {
                declared.push(Declared { place, item });
            }
        }
        declared
    }

    pub(super) fn instance(&mut self, place: &Place, raw: &RawInstance) -> Option<InstanceDeclaration> {
        let id = self.id(place, "id", &raw.id, InstanceId::parse);
        let spaces = self.each(&format!("{}.resource_spaces", place.field), &raw.resource_spaces, Self::space);
        let templates = self.each(&format!("{}.templates", place.field), &raw.templates, Self::template);
        let edition = match raw.edition {
            RawEdition::Basic => Edition::Basic,
            RawEdition::Standard => Edition::Standard,
            RawEdition::Enterprise => Edition::Enterprise,
        };
        self.note(place, "access_domain", raw.access_domain.referenced.line());
        self.note(place, "region", raw.region.referenced.line());
        let access_domain = raw.access_domain.value.to_ascii_lowercase().into();
        let (region, devices_max) = (raw.region.value.as_str().into(), raw.devices_max);
        let instance = InstanceDraft { id: id?, access_domain, edition, region, devices_max };
        Some(InstanceDeclaration { instance, spaces, templates })
    }

    fn space(&mut self, place: &Place, raw: &RawSpace) -> Option<SpaceDeclaration> {
        let id = self.id(place, "id", &raw.id, SpaceId::parse);
        let products = self.each(&format!("{}.products", place.field), &raw.products, Self::product);
        let policies = self.each(&format!("{}.policies", place.field), &raw.policies, Self::policy);
        let cas = self.each(&format!("{}.ca_certificates", place.field), &raw.ca_certificates, Self::ca);
        let name = raw.name.as_deref().unwrap_or(&raw.id.value).into();
        let default_policy = raw.default_policy.map(|wanted| match wanted {
            RawDefaultPolicy::Allow => DefaultPolicy::Allow,
            RawDefaultPolicy::None => DefaultPolicy::None,
        });
        Some(SpaceDeclaration { id: id?, name, default_policy, products, policies, cas })
    }

    fn product(&mut self, place: &Place, raw: &RawProduct) -> Option<ProductDeclaration> {
        let id = self.id(place, "id", &raw.id, ProductId::parse)?;
        let boxed = |text: &Option<String>| text.as_deref().map(Into::into);
        let details = ProductDetails {
            name: raw.name.as_deref().unwrap_or(&raw.id.value).into(),
            device_type: raw.device_type.as_str().into(),
            protocol_type: raw.protocol_type.as_str().into(),
            data_format: raw.data_format.as_str().into(),
            manufacturer_name: boxed(&raw.manufacturer_name),
            industry: boxed(&raw.industry),
            description: boxed(&raw.description),
            service_capabilities: serde_json::Value::from(raw.service_capabilities.clone()).to_string().into(),
        };
        Some(ProductDeclaration { id, details })
    }

    fn policy(&mut self, place: &Place, raw: &RawPolicy) -> Option<PolicyDeclaration> {
        let id = self.id(place, "id", &raw.id, PolicyId::parse);
        let name: Box<str> = raw.name.as_deref().unwrap_or(&raw.id.value).into();
        let at = within(place, "statement", raw.statement.referenced.line());
        let statements = match codec::statements_from_json(&raw.statement.value) {
            Ok(statements) => statements,
            Err(error) => return self.fault(at, error.reason),
        };
        if let Err(fault) = policy::validate(&name, &statements) {
            return self.fault(within(place, &fault.field, at.line), fault.rule);
        }
        let products: Option<Vec<_>> =
            raw.bind.products.iter().map(|product| self.id(place, "bind.products", product, ProductId::parse)).collect();
        if let Some(product) = raw.bind.products.first() {
            self.note(place, "bind.products", product.referenced.line());
        }
        let bound_to_space = raw.bind.resource_space;
        Some(PolicyDeclaration { id: id?, name, statements, bound_to_space, bound_to_products: products? })
    }

    fn template(&mut self, place: &Place, raw: &RawTemplate) -> Option<TemplateDeclaration> {
        let id = self.id(place, "id", &raw.id, TemplateId::parse);
        let line = raw.body.referenced.line();
        let body = match codec::template_draft_from_json(&raw.body.value) {
            Ok(body) => body,
            Err(error) => return self.fault(within(place, "body", line), error.reason),
        };
        if let Err(faults) = body.validate() {
            for fault in faults {
                self.fault::<()>(within(place, &format!("body.{}", fault.field), line), fault.rule);
            }
            return None;
        }
        let name = raw.name.as_deref().unwrap_or(&raw.id.value).into();
        Some(TemplateDeclaration { id: id?, name, description: raw.description.as_str().into(), body })
    }

    fn ca(&mut self, place: &Place, raw: &RawCa) -> Option<CaDeclaration> {
        let id = self.id(place, "id", &raw.id, CaId::parse);
        let template = match &raw.template {
            Some(template) => Some(self.id(place, "template", template, TemplateId::parse)?),
            None => None,
        };
        let at = within(place, "certificate", raw.certificate.referenced.line());
        let file = self.path(&at, &raw.certificate.value)?;
        let der = match read_certificate(&file) {
            Ok(der) => der.as_ref().into(),
            Err(error) => return self.fault(at, format!("{:#}", anyhow::Error::from(error))),
        };
        let proof = match raw.proof_of_possession.as_ref() {
            None => Proof::Later,
            Some(proof) => {
                let at = within(place, "proof_of_possession", proof.referenced.line());
                self.note(place, "proof_of_possession", at.line);
                match &proof.value {
                    RawProof::Key(key) => Proof::Key(self.path(&at, key)?),
                    RawProof::Certificate(certificate) => Proof::Certificate(self.path(&at, certificate)?),
                }
            }
        };
        let self_registration = raw.self_registration.unwrap_or(template.is_some());
        if self_registration && template.is_none() {
            return self.fault(within(place, "self_registration", place.line), "needs a template: name one".to_owned());
        }
        Some(CaDeclaration { id: id?, file, der, proof, template, self_registration })
    }

    fn id<T>(
        &mut self,
        place: &Place,
        field: &str,
        raw: &Spanned<String>,
        parse: fn(&str) -> Result<T, IdError>,
    ) -> Option<T> {
        match parse(&raw.value) {
            Ok(id) => Some(id),
            Err(error) => self.fault(within(place, field, raw.referenced.line()), error.to_string()),
        }
    }

    /// Only `$DATA` is replaced: what looks like another variable, or a home folder, would be a folder of that name.
    fn path(&mut self, at: &Place, path: &Path) -> Option<PathBuf> {
        if let Ok(rest) = path.strip_prefix("$DATA") {
            return Some(self.data.join(rest));
        }
        let text = path.to_string_lossy();
        if text.contains('$') || text.starts_with('~') {
            let rule = format!("{text:?}: only $DATA/ at the start of a path is replaced: write the path out");
            return self.fault(at.clone(), rule);
        }
        Some(self.folder.join(path))
    }

    fn note(&mut self, place: &Place, field: &str, line: u64) {
        self.lines.insert(format!("{}.{field}", place.field), line);
    }

    fn fault<T>(&mut self, place: Place, rule: String) -> Option<T> {
        self.faults.push(BrokenRule { place, rule });
        None
    }
}

fn within(place: &Place, field: &str, line: u64) -> Place {
    Place { line, field: format!("{}.{field}", place.field) }
}
