//! A fleet file as checked data. Every fault is found in one reading and named with file, line, field and rule.

mod check;
mod shape;
mod wording;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use rollcall_domain::{
    fleet::InstanceDraft,
    ids::{CaId, PolicyId, ProductId, SpaceId, TemplateId},
    policy::{self, Statement},
    registry::ProductDetails,
    template::TemplateDraft,
};

use check::Checker;
use shape::RawFleet;

/// Where in the file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, from 1.
    pub(crate) line: u64,
    /// Path of the field, such as `instances[0].resource_spaces[1].products[0].id`.
    pub(crate) field: String,
}

impl Place {
    /// Whether it is `declared` or in it.
    fn is_within(&self, declared: &Self) -> bool {
        self.field.strip_prefix(&declared.field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.field)
    }
}

/// Why a fleet file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetFileError {
    /// The operating system cannot read it.
    #[error("cannot read the fleet file {file}")]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{file} is not UTF-8 text: save it as UTF-8")]
    Encoding { file: PathBuf },
    /// It is not YAML of the right shape.
    #[error("{file}:{line}:{column}: {reason}{}", .hint.as_deref().map(|h| format!(" (did you mean `{h}`?)")).unwrap_or_default())]
    Shape {
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
        file: PathBuf,
        /// In the order of the file.
        faults: Vec<BrokenRule>,
    },
}

fn plural(faults: usize) -> String {
    if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") }
}

/// One value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokenRule {
    pub(crate) place: Place,
    /// Which rule, and what would satisfy it.
    pub(crate) rule: String,
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.rule)
    }
}

/// Something without fault that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    pub(crate) place: Place,
    /// What it comes to, and what would change that.
    pub(crate) text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// Something declared, with its place.
#[derive(Clone, Debug)]
pub(crate) struct Declared<T> {
    /// Where it stands.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) item: T,
}

/// A checked fleet file.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The file, for messages.
    pub(crate) file: PathBuf,
    /// What it declares; an instance with a fault anywhere in it is left out whole.
    pub(crate) instances: Vec<Declared<InstanceDeclaration>>,
    /// What is without fault and hardly meant.
    pub(crate) warnings: Vec<Warning>,
    /// Values that break rules, in the order of the file.
    pub(crate) faults: Vec<BrokenRule>,
    /// The line of each field that is known more closely than by its declaration, by its path.
    lines: BTreeMap<String, u64>,
}

/// One instance with what it holds.
#[derive(Clone, Debug)]
pub(crate) struct InstanceDeclaration {
    /// The instance itself.
    pub(crate) instance: InstanceDraft,
    /// Its resource spaces.
    pub(crate) spaces: Vec<Declared<SpaceDeclaration>>,
    /// Its self-registration templates.
    pub(crate) templates: Vec<Declared<TemplateDeclaration>>,
}

/// One resource space with what it holds.
#[derive(Clone, Debug)]
pub(crate) struct SpaceDeclaration {
    pub(crate) id: SpaceId,
    pub(crate) name: Box<str>,
    /// `None`: no word about it. A new space then gets one, and one that is there is left as it is.
    pub(crate) default_policy: Option<DefaultPolicy>,
    pub(crate) products: Vec<Declared<ProductDeclaration>>,
    pub(crate) policies: Vec<Declared<PolicyDeclaration>>,
    /// Its CA certificates.
    pub(crate) cas: Vec<Declared<CaDeclaration>>,
}

/// Whether a resource space has a policy that allows every custom topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultPolicy {
    /// A new one gets it.
    Allow,
    /// It has none, new or not.
    None,
}

impl DefaultPolicy {
    /// As in the file, and in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::None => "none",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ProductDeclaration {
    pub(crate) id: ProductId,
    pub(crate) details: ProductDetails,
}

/// One topic policy and what it is bound to.
#[derive(Clone, Debug)]
pub(crate) struct PolicyDeclaration {
    pub(crate) id: PolicyId,
    pub(crate) name: Box<str>,
    pub(crate) statements: Vec<Statement>,
    /// Whether it is bound to its whole resource space.
    pub(crate) bound_to_space: bool,
    /// The products that it is bound to.
    pub(crate) bound_to_products: Vec<ProductId>,
}

#[derive(Clone, Debug)]
pub(crate) struct TemplateDeclaration {
    pub(crate) id: TemplateId,
    pub(crate) name: Box<str>,
    pub(crate) description: Box<str>,
    /// Its body, in the v5 API's shape.
    pub(crate) body: TemplateDraft,
}

/// How to prove to hold a CA's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// With the key itself: this machine signs the verification certificate. For development.
    Key(PathBuf),
    /// With a verification certificate that was made elsewhere for the issued code.
    Certificate(PathBuf),
    /// The file names none: the CA certificate stays unverified until it does.
    Later,
}

/// One CA certificate and its binding.
#[derive(Clone, Debug)]
pub(crate) struct CaDeclaration {
    pub(crate) id: CaId,
    /// The certificate's file, for messages and proofs.
    pub(crate) file: PathBuf,
    pub(crate) der: Box<[u8]>,
    /// How possession of its key is proven.
    pub(crate) proof: Proof,
    /// The template bound to it.
    pub(crate) template: Option<TemplateId>,
    /// Whether unknown devices may register themselves.
    pub(crate) self_registration: bool,
}

impl Document {
    /// Reads and checks a fleet file. Relative paths in it start at its own folder; `$DATA/` at the start of a path is `data`.
    ///
    /// # Errors
    /// [`FleetFileError`]: it cannot be read, or has not the shape of a fleet file. Values that break rules are in
    /// [`Document::faults`]; [`Document::without_fault`] makes them an error too.
    pub(crate) fn read(file: &Path, data: &Path) -> Result<Self, FleetFileError> {
        let bytes = std::fs::read(file).map_err(|source| FleetFileError::Read { file: file.into(), source })?;
        let text = str::from_utf8(&bytes).map_err(|_| FleetFileError::Encoding { file: file.into() })?;
        Self::parse(file, text, data)
    }

    /// Checks the text of a fleet file; `file` is for messages and relative paths.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub(crate) fn parse(file: &Path, text: &str, data: &Path) -> Result<Self, FleetFileError> {
        let raw: RawFleet = serde_saphyr::from_str(text).map_err(|error| misshapen(file, text, &error))?;
        let mut checker = Checker::new(file.parent().unwrap_or(Path::new(".")), data);
        let mut instances = checker.each("instances", &raw.instances, Checker::instance);
        checker.unique(&instances);
        let Checker { faults, lines, .. } = checker;
        instances.retain(|instance| !faults.iter().any(|fault| fault.place.is_within(&instance.place)));
        let warnings = instances.iter().flat_map(|instance| warnings(&instance.item)).collect();
        Ok(Self { file: file.into(), instances, warnings, faults, lines })
    }

    /// The document, if nothing in it breaks a rule.
    ///
    /// # Errors
    /// [`FleetFileError::Faults`] with every fault.
    pub(crate) fn without_fault(mut self) -> Result<Self, FleetFileError> {
        match std::mem::take(&mut self.faults) {
            faults if faults.is_empty() => Ok(self),
            faults => Err(FleetFileError::Faults { file: self.file, faults }),
        }
    }

    /// The place of a field of a declaration, as closely as it is known.
    pub(super) fn place_of(&self, declared: &Place, field: &str) -> Place {
        if field.is_empty() {
            return declared.clone();
        }
        let field = format!("{}.{field}", declared.field);
        Place { line: self.lines.get(&field).copied().unwrap_or(declared.line), field }
    }
}

/// Spaces whose own policies would stand beside the default policy. What is there already is not known here: the API says that
/// when the file is applied.
fn warnings(instance: &InstanceDeclaration) -> impl Iterator<Item = Warning> {
    let open = instance.spaces.iter().filter(|space| space.item.default_policy != Some(DefaultPolicy::None));
    let beside = open.filter_map(|space| {
        let own = space.item.policies.iter().find(|policy| policy::allow_some_topics(&policy.item.statements))?;
        Some((space, own))
    });
    beside.map(|(space, own)| {
        let text = format!(
            "the default policy of a new resource space allows every custom topic, so an ALLOW of {} isolates nothing: write \
             `default_policy: none` into {} if it is to",
            own.item.id, space.item.id
        );
        Warning { place: own.place.clone(), text }
    })
}

fn misshapen(file: &Path, text: &str, error: &serde_saphyr::Error) -> FleetFileError {
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let (reason, hint) = wording::reason(error, text);
    FleetFileError::Shape { file: file.into(), line, column, reason, hint }
}
