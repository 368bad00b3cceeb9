//! Authenticates a client by the instance's view: accepts, has it registered first, or refuses.
//!
//! The rules are the domain's, registering is the registrar's. Invariant: an accepted device was found in the view. A
//! ruling is not believed: after it, the view is waited for and asked again.

use std::{net::IpAddr, sync::Arc};

use rollcall_domain::{
    authenticate::{self, Identification, Recognised, Verdict},
    ids::{DeviceId, Position},
    refusal::Refusal,
    time::Timestamp,
};

use crate::{
    admission::{
        registration::certificate_connect::{CertificateConnect, Chain},
        view_ready::view_ready,
    },
    instance::Instance,
    transport::chain_verifier::VerifiedChain,
};

/// A client that has sent CONNECT.
pub(crate) struct Client<'a> {
    /// Its chain, and the facts of its certificate.
    pub(crate) verified: &'a VerifiedChain,
    /// The part of CONNECT that identifies the device.
    pub(crate) identification: Identification<'a>,
    /// Where the connection comes from.
    pub(crate) source: IpAddr,
}

/// A device to accept.
pub(crate) struct Admitted {
    pub(crate) device: Recognised,
    /// Generation and position (at least) of the view that was asked: if it has moved on, the session is reauthorized.
    pub(crate) at: (u64, Position),
}

/// Admits one client, once the age of the view is known; `chain` is called only if the device must be registered first.
///
/// # Errors
/// The [`Refusal`] to answer CONNECT with.
pub(crate) async fn admit(
    instance: &Arc<Instance>,
    client: &Client<'_>,
    chain: impl FnOnce() -> Chain,
) -> Result<Admitted, Refusal> {
    instance.staleness.check().await?;
    match authenticate(instance, client)? {
        (Verdict::Accept(device), at) => Ok(Admitted { device, at }),
        (Verdict::Refuse(refusal), _) => Err(refusal),
        (Verdict::Register { claimed, .. }, _) => {
            instance.registration.apply(certificate_connect(client, claimed, chain())).await?;
            match authenticate(instance, client)? {
                (Verdict::Accept(device), at) => Ok(Admitted { device, at }),
                (Verdict::Refuse(refusal), _) => Err(refusal),
                // Registered and deleted and readmitted meanwhile, or the like: the next attempt starts afresh.
                (Verdict::Register { .. }, _) => Err(Refusal::RegistrationTimedOut),
            }
        }
    }
}

fn authenticate(instance: &Instance, client: &Client<'_>) -> Result<(Verdict, (u64, Position)), Refusal> {
    let at = {
        let status = instance.status.borrow();
        if !view_ready(&status) {
            return Err(Refusal::NotReady);
        }
        (status.generation, status.position)
    };
    let damaged = instance.view.lookups_damaged();
    let verdict = authenticate::authenticate(
        &instance.view.configuration(),
        &instance.view,
        &instance.profile(),
        &instance.availability,
        &client.verified.facts,
        &client.verified.path,
        &client.identification,
        Timestamp::from_unix_ms(instance.clock.unix_ms()),
    );
    // A lookup that met damage found nothing, which says nothing of the device, nor that its certificate is not retired.
    if instance.view.lookups_damaged() != damaged {
        return Err(Refusal::NotReady);
    }
    Ok((verdict, at))
}

fn certificate_connect(client: &Client<'_>, claimed: Option<DeviceId>, chain: Chain) -> CertificateConnect {
    CertificateConnect {
        claimed,
        sha256: client.verified.facts.sha256,
        ca: client.verified.path.ca.clone(),
        source: client.source,
        chain,
    }
}
