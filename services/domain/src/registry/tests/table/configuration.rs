//! The decision table's commands about everything but devices.

use super::{
    super::world::{Authority, World, authorities, cn_template, details, id, pinned, replacing},
    cross,
};
use crate::{
    ids::SpaceId,
    registry::{
        Command,
        command::{Distrust, TemplateChange},
        event::PolicyTarget,
    },
};

pub(super) fn commands(table: &mut String) {
    let third = Authority::new("third CA");
    let third_der = third.der.clone();
    let upload = |ca: &str, space: &str| Command::UploadCa { ca: id(ca), space: id(space), der: third_der.clone() };
    let configure = |template, self_registration| Command::ConfigureCa { ca: id("third"), template, self_registration };
    let bare = World::furnished();
    let mut uploaded = bare.clone();
    uploaded.grant(upload("third", "acme"));
    uploaded.grant(template("t", "meter"));
    let mut verified = bare.clone();
    verified.verified_ca("third", "acme", &third);
    verified.grant(template("t", "meter"));
    let mut bound = verified.clone();
    bound.grant(configure(TemplateChange::Bind(id("t")), None));
    let mut enabled = bound.clone();
    enabled.grant(configure(TemplateChange::Keep, Some(true)));
    let mut elsewhere = bare.clone();
    elsewhere.verified_ca("third-of-globex", "globex", &third);
    elsewhere.grant(upload("third", "acme"));
    let states = [
        ("CA absent", bare),
        ("uploaded", uploaded),
        ("verified", verified),
        ("template bound", bound),
        ("self-registration on", enabled),
        ("verified in another space", elsewhere),
    ];
    let commands = [
        ("upload the same", upload("third", "acme")),
        ("upload it under another id", upload("fourth", "acme")),
        ("upload it in another space", upload("fourth", "globex")),
        (
            "upload another under this id",
            Command::UploadCa { ca: id("third"), space: id("acme"), der: Authority::new("fourth CA").der },
        ),
        ("upload what is no certificate", Command::UploadCa { ca: id("fifth"), space: id("acme"), der: (*b"hello").into() }),
        ("issue a code", Command::IssueCaCode { ca: id("third") }),
        ("verify with another's proof", Command::VerifyCa { ca: id("third"), proof: authorities()[0].device("x").der }),
        ("verify with a wrong code", Command::VerifyCa { ca: id("third"), proof: third.device("x").der }),
        ("bind a template", configure(TemplateChange::Bind(id("t")), None)),
        ("bind one that does not exist", configure(TemplateChange::Bind(id("none")), None)),
        ("switch self-registration on", configure(TemplateChange::Keep, Some(true))),
        ("bind and switch on", configure(TemplateChange::Bind(id("t")), Some(true))),
        ("switch off", configure(TemplateChange::Keep, Some(false))),
        ("unbind", configure(TemplateChange::Unbind, None)),
        ("unbind and switch off", configure(TemplateChange::Unbind, Some(false))),
        (
            "edit the template",
            Command::UpdateTemplate { template: id("t"), description: None, body: Some(replacing(cn_template("meter"))) },
        ),
        (
            "edit it to a product of another space",
            Command::UpdateTemplate { template: id("t"), description: None, body: Some(cn_template("pump")) },
        ),
        ("create the same template", template("t", "meter")),
        ("create another under its id", template("t", "lamp")),
        (
            "create another under its name",
            Command::CreateTemplate {
                template: id("u"),
                name: "t".into(),
                description: "".into(),
                body: cn_template("meter"),
            },
        ),
        ("delete the template", Command::DeleteTemplate { template: id("t") }),
        ("delete the CA", Command::DeleteCa { ca: id("third"), distrust: Distrust::No }),
    ];
    cross(table, "Operators' commands about a CA certificate and its template", &states, &commands);
    rest_of_configuration(table);
}

fn template(template: &str, product: &str) -> Command {
    Command::CreateTemplate {
        template: id(template),
        name: template.into(),
        description: "".into(),
        body: cn_template(product),
    }
}

fn rest_of_configuration(table: &mut String) {
    let space: SpaceId = id("initech");
    let create_space = |name: &str| {
        let default_policy = Some(id("initech-default"));
        Command::CreateSpace { space: id("initech"), name: name.into(), default_policy }
    };
    let create_closed = Command::CreateSpace { space: id("initech"), name: "initech".into(), default_policy: None };
    let create_product = |name: &str| Command::CreateProduct {
        space: id("initech"),
        product: id("stapler"),
        details: crate::registry::ProductDetails { name: name.into(), ..details() },
    };
    let create_policy = |name: &str| Command::CreatePolicy {
        policy: id("p"),
        space: id("initech"),
        name: name.into(),
        statements: crate::policy::system_default(id("p"), 1, id("initech"), crate::time::Timestamp::from_unix_s(1))
            .statements,
    };
    let bind = |target| Command::BindPolicy { policy: id("initech-default"), target };
    let unbind = |target| Command::UnbindPolicy { policy: id("initech-default"), target };
    let product = || PolicyTarget::Product(id("initech"), id("stapler"));
    let bare = World::furnished();
    let mut empty = bare.clone();
    empty.grant(create_space("initech"));
    let mut furnished = empty.clone();
    furnished.grant(create_product("stapler"));
    furnished.grant(bind(product()));
    let mut used = furnished.clone();
    used.pre_register("stapler_1", "initech", "stapler", pinned(None, None));
    let states = [("space absent", bare), ("space empty", empty), ("with a product", furnished), ("with a device", used)];
    let commands = [
        ("create the space", create_space("initech")),
        ("create it with another name", create_space("initrode")),
        ("create it without a default policy", create_closed),
        ("rename it", Command::RenameSpace { space: space.clone(), name: "initrode".into() }),
        ("create the product", create_product("stapler")),
        ("create it with other details", create_product("red stapler")),
        ("update the product", Command::UpdateProduct { space: id("initech"), product: id("stapler"), details: details() }),
        ("create a policy", create_policy("p")),
        (
            "update the default policy",
            Command::UpdatePolicy { policy: id("initech-default"), name: Some("all".into()), statements: None },
        ),
        ("bind the default policy to the product", bind(product())),
        ("unbind it from the product", unbind(product())),
        ("unbind it from the space", unbind(PolicyTarget::Space(space.clone()))),
        (
            "bind another space's policy to it",
            Command::BindPolicy { policy: id("acme-default"), target: PolicyTarget::Space(space.clone()) },
        ),
        ("delete the default policy", Command::DeletePolicy { policy: id("initech-default") }),
        ("delete the product", Command::DeleteProduct { space: space.clone(), product: id("stapler") }),
        ("delete the space", Command::DeleteSpace { space }),
    ];
    cross(table, "Operators' commands about a resource space and what is in it", &states, &commands);
}
