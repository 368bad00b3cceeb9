//! Fleet files for tests, as text that a test can read and change.

use std::path::Path;

use crate::certificates::{Authority, Pair};

/// One instance with one resource space, one product, one CA certificate and one template; what most tests want.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    /// What SNI must carry.
    pub access_domain: String,
    /// `basic`, `standard` or `enterprise`.
    pub edition: String,
    pub region: String,
    /// The CA certificate's file; its key lies beside it as `.key`.
    pub ca: String,
    /// The template's `product_id`, as YAML.
    pub product_id: String,
    /// Lines of the template's `device`, indented by two more than `device:`.
    pub device: String,
    /// Lines of further parameters of the template.
    pub parameters: String,
    /// The template bound to the CA certificate, if any.
    pub template: Option<String>,
    /// Whether devices may register themselves.
    pub self_registration: bool,
    /// Further top-level lines of the template's body.
    pub body: String,
    /// Lines of further policies of the space.
    pub policies: String,
}

impl Instance {
    /// Id, `<id>.test` as access domain, standard edition in `cn-north-4`, CN as node id, product `truck`, space `vehicles`.
    pub fn new(id: &str, ca: &Path) -> Self {
        Self {
            id: id.to_owned(),
            access_domain: format!("{id}.test"),
            edition: "standard".to_owned(),
            region: "cn-north-4".to_owned(),
            ca: ca.display().to_string(),
            product_id: "truck".to_owned(),
            device: String::new(),
            parameters: String::new(),
            template: Some("by-cn".to_owned()),
            self_registration: true,
            body: String::new(),
            policies: String::new(),
        }
    }

    /// A device certificate of this instance's CA for trying whether it is trusted; TLS only, so it is never registered.
    pub fn probe(&self, folder: &Path) -> Pair {
        let ca = Path::new(&self.ca);
        let pair = Pair { certificate: ca.to_owned(), key: ca.with_extension("key") };
        Authority::from_pair(pair).quick_device(folder, &format!("probe-of-{}", self.id))
    }

    /// The id that a device with this CN gets.
    pub fn device_id(common_name: &str) -> String {
        format!("truck_{common_name}")
    }

    fn yaml(&self) -> String {
        let Self { id, access_domain, edition, region, ca, product_id, device, parameters, body, policies, .. } = self;
        let key = Path::new(ca).with_extension("key");
        let binding = match &self.template {
            Some(template) => format!("template: {template}\n            self_registration: {}", self.self_registration),
            None => "self_registration: false".to_owned(),
        };
        let policies = if policies.is_empty() { String::new() } else { format!("        policies:\n{policies}") };
        format!(
            r#"  - id: {id}
    access_domain: {access_domain}
    edition: {edition}
    region: {region}
    resource_spaces:
      - id: vehicles
        products:
          - id: truck
{policies}        ca_certificates:
          - id: ca
            certificate: {ca}
            proof_of_possession:
              key: {key}
            {binding}
    templates:
      - id: by-cn
        body:
          parameters:
            iotda::certificate::common_name: {{ type: String }}
{parameters}          resources:
            device:
              node_id: {{ ref: "iotda::certificate::common_name" }}
              product_id: {product_id}
{device}{body}"#,
            key = key.display(),
        )
    }
}

/// A fleet file of these instances.
pub fn yaml(instances: &[Instance]) -> String {
    instances.iter().fold("instances:\n".to_owned(), |text, instance| text + &instance.yaml())
}
