//! A fleet file as checked data. Every fault is found in one reading and named with file, line, field and rule.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rollcall_backbone::codec;
use rollcall_domain::{
    fleet::{Edition, Instance},
    ids::{CaId, IdError, InstanceId, PolicyId, ProductId, SpaceId, TemplateId},
    policy::{self, Statement},
    registry::ProductDetails,
    template::TemplateDraft,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;
use serde_saphyr::Spanned;

/// Where in the file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Path of the field, such as `instances[0].resource_spaces[1].products[0].id`.
    pub field: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.field)
    }
}

/// Why a fleet file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FleetFileError {
    /// It cannot be read.
    #[error("cannot read the fleet file {file}")]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not YAML of the right shape.
    #[error("{file}:{line}:{column}: {reason}{}", .hint.as_deref().map(|h| format!(" (did you mean `{h}`?)")).unwrap_or_default())]
    Shape {
        /// Which file.
        file: PathBuf,
        /// Line, from 1; 0 when no place is known.
        line: u64,
        /// Column, from 1; 0 when no place is known.
        column: u64,
        /// What is wrong.
        reason: String,
        /// The known field nearest to an unknown one.
        hint: Option<String>,
    },
    /// Its values break rules.
    #[error("{} in the fleet file {file}:{}", plural(.faults.len()), .faults.iter().map(|f| format!("\n  {file}:{f}", file = .file.display())).collect::<String>())]
    Faults {
        /// Which file.
        file: PathBuf,
        /// Every one of them.
        faults: Vec<Fault>,
    },
}

fn plural(faults: usize) -> String {
    if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") }
}

/// One value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// Which rule, and what would satisfy it.
    pub rule: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.rule)
    }
}

/// Something declared, with its place.
#[derive(Clone, Debug)]
pub struct Declared<T> {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub item: T,
}

/// A checked fleet file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file, for messages.
    pub file: PathBuf,
    /// What it declares.
    pub instances: Vec<Declared<InstanceDeclaration>>,
}

/// One instance with what it holds.
#[derive(Clone, Debug)]
pub struct InstanceDeclaration {
    /// The instance itself.
    pub instance: Instance,
    /// Its resource spaces.
    pub spaces: Vec<Declared<SpaceDeclaration>>,
    /// Its self-registration templates.
    pub templates: Vec<Declared<TemplateDeclaration>>,
}

/// One resource space with what it holds.
#[derive(Clone, Debug)]
pub struct SpaceDeclaration {
    /// Its id.
    pub id: SpaceId,
    /// Its name.
    pub name: Box<str>,
    /// Its products.
    pub products: Vec<Declared<ProductDeclaration>>,
    /// Its policies.
    pub policies: Vec<Declared<PolicyDeclaration>>,
    /// Its CA certificates.
    pub cas: Vec<Declared<CaDeclaration>>,
}

/// One product.
#[derive(Clone, Debug)]
pub struct ProductDeclaration {
    /// Its id.
    pub id: ProductId,
    /// The rest.
    pub details: ProductDetails,
}

/// One topic policy and what it is bound to.
#[derive(Clone, Debug)]
pub struct PolicyDeclaration {
    /// Its id.
    pub id: PolicyId,
    /// Its name.
    pub name: Box<str>,
    /// Its statements.
    pub statements: Vec<Statement>,
    /// Whether it is bound to its whole resource space.
    pub bound_to_space: bool,
    /// The products that it is bound to.
    pub bound_to_products: Vec<ProductId>,
}

/// One template.
#[derive(Clone, Debug)]
pub struct TemplateDeclaration {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: Box<str>,
    /// Its description.
    pub description: Box<str>,
    /// Its body, in the v5 API's shape.
    pub body: TemplateDraft,
}

/// How to prove to hold a CA's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// With the key itself: this machine signs the verification certificate. For development.
    Key(PathBuf),
    /// With a verification certificate that somebody made for the code that was issued.
    Certificate(PathBuf),
    /// Not yet.
    Later,
}

/// One CA certificate and its binding.
#[derive(Clone, Debug)]
pub struct CaDeclaration {
    /// Its id.
    pub id: CaId,
    /// The certificate's file, for messages and proofs.
    pub file: PathBuf,
    /// The certificate.
    pub der: Box<[u8]>,
    /// How possession of its key is proven.
    pub proof: Proof,
    /// The template bound to it.
    pub template: Option<TemplateId>,
    /// Whether unknown devices may register themselves.
    pub self_registration: bool,
}

impl Document {
    /// Reads and checks a fleet file. Relative paths in it start at its own folder; `$DATA/` at the start of a path is `data`.
    ///
    /// # Errors
    /// [`FleetFileError`] with every fault found.
    pub fn read(file: &Path, data: &Path) -> Result<Self, FleetFileError> {
        let text = std::fs::read_to_string(file).map_err(|source| FleetFileError::Read { file: file.into(), source })?;
        Self::parse(file, &text, data)
    }

    /// Checks the text of a fleet file; `file` is for messages and relative paths.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn parse(file: &Path, text: &str, data: &Path) -> Result<Self, FleetFileError> {
        let raw: RawFleet = serde_saphyr::from_str(text).map_err(|error| shape(file, &error))?;
        let mut checker = Checker { folder: file.parent().unwrap_or(Path::new(".")), data, faults: Vec::new() };
        let instances = checker.each("instances", &raw.instances, Checker::instance);
        match checker.faults {
            faults if faults.is_empty() => Ok(Self { file: file.into(), instances }),
            faults => Err(FleetFileError::Faults { file: file.into(), faults }),
        }
    }
}

fn shape(file: &Path, error: &serde_saphyr::Error) -> FleetFileError {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let said = error.without_snippet().to_string();
    // The place stands before the reason already.
    let reason = said.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&said).to_owned();
    let hint = rollcall_chassis::config::nearest_known_key(&reason);
    FleetFileError::Shape { file: file.into(), line, column, reason, hint }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFleet {
    instances: Vec<Spanned<RawInstance>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstance {
    id: Spanned<String>,
    access_domain: Spanned<String>,
    edition: RawEdition,
    region: Spanned<String>,
    #[serde(default)]
    resource_spaces: Vec<Spanned<RawSpace>>,
    #[serde(default)]
    templates: Vec<Spanned<RawTemplate>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawEdition {
    Basic,
    Standard,
    Enterprise,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpace {
    id: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    products: Vec<Spanned<RawProduct>>,
    #[serde(default)]
    policies: Vec<Spanned<RawPolicy>>,
    #[serde(default)]
    ca_certificates: Vec<Spanned<RawCa>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProduct {
    id: Spanned<String>,
    name: Option<String>,
    #[serde(default = "RawProduct::default_device_type")]
    device_type: String,
    #[serde(default = "RawProduct::default_protocol_type")]
    protocol_type: String,
    #[serde(default = "RawProduct::default_data_format")]
    data_format: String,
    manufacturer_name: Option<String>,
    industry: Option<String>,
    description: Option<String>,
    #[serde(default)]
    service_capabilities: Vec<serde_json::Value>,
}

impl RawProduct {
    fn default_device_type() -> String {
        "device".to_owned()
    }

    fn default_protocol_type() -> String {
        "MQTT".to_owned()
    }

    fn default_data_format() -> String {
        "json".to_owned()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    id: Spanned<String>,
    name: Option<String>,
    statement: Spanned<serde_json::Value>,
    #[serde(default)]
    bind: RawBinding,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawBinding {
    resource_space: bool,
    products: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTemplate {
    id: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    description: String,
    body: Spanned<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCa {
    id: Spanned<String>,
    certificate: Spanned<PathBuf>,
    proof_of_possession: Option<RawProof>,
    template: Option<Spanned<String>>,
    self_registration: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawProof {
    Key(PathBuf),
    Certificate(PathBuf),
}

/// Turns raw values into checked ones and collects what is wrong. A faulty item is left out; the faults stop the file.
struct Checker<'a> {
    folder: &'a Path,
    data: &'a Path,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn each<R, T>(
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

    fn instance(&mut self, place: &Place, raw: &RawInstance) -> Option<InstanceDeclaration> {
        let id = self.id(place, "id", &raw.id, InstanceId::parse);
        let spaces = self.each(&format!("{}.resource_spaces", place.field), &raw.resource_spaces, Self::space);
        let templates = self.each(&format!("{}.templates", place.field), &raw.templates, Self::template);
        let edition = match raw.edition {
            RawEdition::Basic => Edition::Basic,
            RawEdition::Standard => Edition::Standard,
            RawEdition::Enterprise => Edition::Enterprise,
        };
        let access_domain = raw.access_domain.value.to_ascii_lowercase().into();
        let instance = Instance { id: id?, access_domain, edition, region: raw.region.value.as_str().into() };
        Some(InstanceDeclaration { instance, spaces, templates })
    }

    fn space(&mut self, place: &Place, raw: &RawSpace) -> Option<SpaceDeclaration> {
        let id = self.id(place, "id", &raw.id, SpaceId::parse);
        let products = self.each(&format!("{}.products", place.field), &raw.products, Self::product);
        let policies = self.each(&format!("{}.policies", place.field), &raw.policies, Self::policy);
        let cas = self.each(&format!("{}.ca_certificates", place.field), &raw.ca_certificates, Self::ca);
        let name = raw.name.as_deref().unwrap_or(&raw.id.value).into();
        Some(SpaceDeclaration { id: id?, name, products, policies, cas })
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
        let file = self.path(&raw.certificate.value);
        let der = match CertificateDer::from_pem_file(&file) {
            Ok(der) => der.as_ref().into(),
            Err(error) => {
                let at = within(place, "certificate", raw.certificate.referenced.line());
                return self.fault(at, format!("no PEM certificate can be read from {}: {error}", file.display()));
            }
        };
        let proof = match &raw.proof_of_possession {
            Some(RawProof::Key(key)) => Proof::Key(self.path(key)),
            Some(RawProof::Certificate(certificate)) => Proof::Certificate(self.path(certificate)),
            None => Proof::Later,
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

    fn path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("$DATA") {
            Ok(rest) => self.data.join(rest),
            Err(_) => self.folder.join(path),
        }
    }

    fn fault<T>(&mut self, place: Place, rule: String) -> Option<T> {
        self.faults.push(Fault { place, rule });
        None
    }
}

fn within(place: &Place, field: &str, line: u64) -> Place {
    Place { line, field: format!("{}.{field}", place.field) }
}

#[cfg(test)]
mod tests;
