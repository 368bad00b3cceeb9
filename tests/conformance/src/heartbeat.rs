//! Registrars' announcements: the last of each source, then live.

use std::collections::BTreeMap;

use bytes::Bytes;
use rollcall_domain::ids::RegistrarId;
use rollcall_log::{
    BackboneError,
    heartbeat::{Heard, Heartbeats, Source},
};
use tokio::sync::mpsc;

use super::{Failure, UnderTest, ensure, next, nothing};

type Follower = mpsc::Receiver<Result<Heard, BackboneError>>;

async fn open(under_test: &UnderTest) -> Result<&dyn Heartbeats, Failure> {
    let heartbeats = &*under_test.backbone.heartbeats;
    heartbeats.open().await?;
    Ok(heartbeats)
}

fn source(registrar: &str, shard: u32) -> Result<Source, Failure> {
    let registrar = RegistrarId::parse(registrar).map_err(|error| Failure(error.to_string()))?;
    Ok(Source { registrar, shard })
}

async fn announced(follower: &mut Follower) -> Result<Bytes, Failure> {
    match next("an announcement", follower).await?? {
        Heard::Announced(announcement) => Ok(announcement),
        Heard::Interrupted => Err(Failure("nothing interrupts the following".to_owned())),
    }
}

/// Who begins to follow is told the last announcement of each source, and no earlier one; opening is idempotent.
pub async fn a_follower_is_told_the_last_of_each_source(under_test: &UnderTest) -> Result<(), Failure> {
    let heartbeats = open(under_test).await?;
    let (one, two, other) = (source("r1", 0)?, source("r1", 15)?, source("r2", 0)?);
    for (source, text) in [(&one, "one-1"), (&two, "two-1"), (&one, "one-2"), (&other, "other-1"), (&one, "one-3")] {
        heartbeats.announce(source, Bytes::from(text)).await?;
    }
    open(under_test).await?;
    let mut follower = heartbeats.follow().await?;
    let mut told = BTreeMap::new();
    for _ in 0..3 {
        let text = announced(&mut follower).await?;
        *told.entry(text).or_insert(0) += 1;
    }
    let wanted = ["one-3", "other-1", "two-1"].map(|text| (Bytes::from(text), 1));
    ensure!(told == BTreeMap::from(wanted), "the last of each of three sources is told once, not {told:?}");
    nothing("after the last of each source", &mut follower)
}

/// Who follows is told what comes, as it comes; followers do not take from each other.
pub async fn followers_are_told_what_comes(under_test: &UnderTest) -> Result<(), Failure> {
    let heartbeats = open(under_test).await?;
    let source = source("r1", 3)?;
    let (mut first, mut second) = (heartbeats.follow().await?, heartbeats.follow().await?);
    for number in 0..5 {
        let text = Bytes::from(format!("announcement {number}"));
        heartbeats.announce(&source, text.clone()).await?;
        for follower in [&mut first, &mut second] {
            let told = announced(follower).await?;
            ensure!(told == text, "{text:?} is told next, not {told:?}");
        }
    }
    Ok(())
}
