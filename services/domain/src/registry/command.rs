//! What is asked of a registry: a certificate-connect event of a connector, or an operator's command.
//!
//! Ids of what is to be created are chosen by who asks, so that asking again asks for the same thing.

use crate::{
    ids::{CaId, DeviceId, Fingerprint, PolicyId, ProductId, RequestId, SpaceId, TemplateId},
    policy::Statement,
    registry::{
        event::{DeclaredCredential, DeviceProfile, PolicyTarget},
        state::{ProductDetails, Slot},
    },
    template::{Tag, TemplateDraft},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A device, by its certificate (SHA-256 over the DER).
    Certificate([u8; 32]),
    /// An operator, by name: 1 to 64 characters without control characters.
    Operator(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The same however often it is sent.
    pub id: RequestId,
    pub actor: Actor,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "requests are made one at a time and passed by reference")]
pub enum RequestBody {
    /// A certificate that belongs to no known device has connected. Only the chain is believed; not even that it holds.
    CertificateConnect {
        /// DER, the device's own first, as presented.
        chain: Vec<Box<[u8]>>,
        /// The device that the client says it is, from a CONNECT in the standard form; only set where no template says
        /// which device the certificate is. A claim, never proof: it can do no more than pin the certificate to a device
        /// of the CA certificate's own resource space that was pre-registered and still waits for its first certificate.
        claimed: Option<DeviceId>,
    },
    /// An operator wants something.
    Command(Command),
}

/// What an operator wants. `None` in an update means "leave as it is".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    CreateSpace {
        space: SpaceId,
        name: Box<str>,
        /// The id of the policy that it gets, which allows every custom topic; `None`: it gets none, and nothing is allowed
        /// there until a policy of its own says so.
        default_policy: Option<PolicyId>,
    },
    RenameSpace {
        space: SpaceId,
        name: Box<str>,
    },
    DeleteSpace {
        space: SpaceId,
    },
    CreateProduct {
        space: SpaceId,
        product: ProductId,
        details: ProductDetails,
    },
    UpdateProduct {
        space: SpaceId,
        product: ProductId,
        details: ProductDetails,
    },
    DeleteProduct {
        space: SpaceId,
        product: ProductId,
    },
    CreatePolicy {
        policy: PolicyId,
        space: SpaceId,
        name: Box<str>,
        statements: Vec<Statement>,
    },
    UpdatePolicy {
        policy: PolicyId,
        name: Option<Box<str>>,
        statements: Option<Vec<Statement>>,
    },
    DeletePolicy {
        policy: PolicyId,
    },
    BindPolicy {
        policy: PolicyId,
        target: PolicyTarget,
    },
    UnbindPolicy {
        policy: PolicyId,
        target: PolicyTarget,
    },
    CreateTemplate {
        template: TemplateId,
        name: Box<str>,
        description: Box<str>,
        body: TemplateDraft,
    },
    UpdateTemplate {
        template: TemplateId,
        description: Option<Box<str>>,
        body: Option<TemplateDraft>,
    },
    DeleteTemplate {
        template: TemplateId,
    },
    UploadCa {
        ca: CaId,
        space: SpaceId,
        der: Box<[u8]>,
    },
    IssueCaCode {
        ca: CaId,
    },
    VerifyCa {
        ca: CaId,
        proof: Box<[u8]>,
    },
    ConfigureCa {
        ca: CaId,
        template: TemplateChange,
        self_registration: Option<bool>,
    },
    DeleteCa {
        ca: CaId,
        distrust: Distrust,
    },
    PreRegisterDevice {
        profile: DeviceProfile,
        credential: DeclaredCredential,
        description: Option<Box<str>>,
        extension_info: Option<Box<str>>,
    },
    UpdateDevice {
        device: DeviceId,
        name: Option<Box<str>>,
        description: Option<Box<str>>,
        extension_info: Option<Box<str>>,
    },
    TagDevice {
        device: DeviceId,
        tags: Vec<Tag>,
    },
    UntagDevice {
        device: DeviceId,
        keys: Vec<Box<str>>,
    },
    FreezeDevice {
        device: DeviceId,
    },
    UnfreezeDevice {
        device: DeviceId,
    },
    ResetFingerprint {
        device: DeviceId,
        slot: Slot,
        fingerprint: Option<Fingerprint>,
    },
    SwitchCertificate {
        device: DeviceId,
        fingerprint: Fingerprint,
        active: bool,
    },
    /// Take a certificate away from its device, for good.
    DeleteCertificate {
        device: DeviceId,
        fingerprint: Fingerprint,
    },
    /// Let a retired certificate be used again: by this device, or by whichever it comes to.
    ReadmitCertificate {
        fingerprint: Fingerprint,
        device: Option<DeviceId>,
    },
    DeleteDevice {
        device: DeviceId,
    },
    ReadmitDevice {
        device: DeviceId,
    },
}

/// Whether a CA certificate is deleted because its CA, a name and a key, is not believed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// This certificate is not needed; its CA may stand above devices all the same.
    No,
    Yes,
    /// As [`Self::Yes`], unless another certificate of the same CA is verified: then it was a renewal. Nor for one that was
    /// never verified.
    UnlessRenewed,
}

/// What to do with a CA certificate's template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TemplateChange {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Bind this one in place of whatever is bound.
    Bind(TemplateId),
    /// Bind none; self-registration must then be off.
    Unbind,
}
