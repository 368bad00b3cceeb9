//! Documents: written only over what was read.

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, LogId},
    limits::DEVICE_ID_CHARS_MAX,
    session::Session,
};
use rollcall_log::{
    BackboneError,
    documents::{CursorName, DOCUMENT_BYTES_MAX, Document, DocumentKey, Documents, PutError, Revision},
};

use super::{Failure, UnderTest, ensure, soon};

fn device(name: &str) -> Result<DeviceId, Failure> {
    DeviceId::parse(name).map_err(|error| Failure(error.to_string()))
}

fn shadow(name: &str) -> Result<DocumentKey, Failure> {
    Ok(DocumentKey::Shadow(device(name)?))
}

async fn open<'a>(under_test: &'a UnderTest, name: &str) -> Result<(&'a dyn Documents, LogId), Failure> {
    let instance = LogId::Instance(under_test.instance(name)?);
    under_test.backbone.documents.open(&instance).await?;
    Ok((&*under_test.backbone.documents, instance))
}

fn conflict<T: std::fmt::Debug>(what: &str, outcome: Result<T, PutError>) -> Result<(), Failure> {
    ensure!(matches!(outcome, Err(PutError::Conflict)), "{what} is a conflict, not {outcome:?}");
    Ok(())
}

async fn expect(
    documents: &dyn Documents,
    instance: &LogId,
    key: &DocumentKey,
    expected: Option<(Revision, &'static str)>,
) -> Result<(), Failure> {
    let found = documents.get(instance, key).await?;
    let expected = expected.map(|(revision, body)| Document { revision, body: Bytes::from(body) });
    ensure!(found == expected, "{key:?} is {expected:?}, not {found:?}");
    Ok(())
}

/// A document is put, replaced over the revision that was read, deleted and put again; a writer that read something older is
/// refused each time, and revisions rise all along.
pub async fn a_document_is_written_over_what_was_read(under_test: &UnderTest) -> Result<(), Failure> {
    let (documents, instance) = open(under_test, "life").await?;
    let key = shadow("d1")?;
    expect(documents, &instance, &key, None).await?;
    documents.delete(&instance, &key, Revision::NONE).await?;
    conflict("a put over nothing", documents.put(&instance, &key, Revision(7), "x".into()).await)?;
    let mut seen = vec![Revision::NONE];
    for round in 0..3 {
        let first = documents.put(&instance, &key, Revision::NONE, "first".into()).await?;
        expect(documents, &instance, &key, Some((first, "first"))).await?;
        conflict("another first put", documents.put(&instance, &key, Revision::NONE, "x".into()).await)?;
        conflict("a delete of nothing", documents.delete(&instance, &key, Revision::NONE).await)?;
        let second = documents.put(&instance, &key, first, Bytes::new()).await?;
        expect(documents, &instance, &key, Some((second, ""))).await?;
        conflict("a put over the revision before", documents.put(&instance, &key, first, "x".into()).await)?;
        conflict("a delete of the revision before", documents.delete(&instance, &key, first).await)?;
        expect(documents, &instance, &key, Some((second, ""))).await?;
        for revision in [first, second] {
            ensure!(
                seen.last().is_some_and(|last| *last < revision),
                "revisions rise also over a deletion: {revision:?} follows in round {round} on {seen:?}"
            );
            seen.push(revision);
        }
        documents.delete(&instance, &key, second).await?;
        expect(documents, &instance, &key, None).await?;
        conflict("a put over what was deleted", documents.put(&instance, &key, second, "x".into()).await)?;
        conflict("a second delete", documents.delete(&instance, &key, second).await)?;
        documents.delete(&instance, &key, Revision::NONE).await?;
    }
    Ok(())
}

/// Of two writers that have read the same, one wins, whatever they do; the loser reads again and gets its turn.
pub async fn one_of_two_writers_wins(under_test: &UnderTest) -> Result<(), Failure> {
    const WRITERS: u64 = 4;
    const EACH: u64 = 10;
    let (documents, instance) = open(under_test, "writers").await?;
    let key = shadow("d1")?;
    let both = [
        documents.put(&instance, &key, Revision::NONE, "one".into()),
        documents.put(&instance, &key, Revision::NONE, "two".into()),
    ];
    let won = join_all(both).await;
    ensure!(won.iter().filter(|put| put.is_ok()).count() == 1, "one of two first puts wins, not {won:?}");
    let found = documents.get(&instance, &key).await?;
    let latest = found.map(|document| document.revision).unwrap_or_default();
    documents.delete(&instance, &key, latest).await?;

    let count_up = || async {
        for _ in 0..EACH {
            loop {
                let found = documents.get(&instance, &key).await?;
                let (revision, number) = found.map_or((Revision::NONE, 0), |found| (found.revision, count(&found.body)));
                match documents.put(&instance, &key, revision, (number + 1).to_string().into()).await {
                    Ok(_) => break,
                    Err(PutError::Conflict) => {}
                    Err(PutError::Backbone(error)) => return Err(Failure::from(error)),
                }
            }
        }
        Ok(())
    };
    try_join_all((0..WRITERS).map(|_| count_up())).await?;
    let found = documents.get(&instance, &key).await?.map(|found| count(&found.body));
    ensure!(found == Some(WRITERS * EACH), "no writer's count is lost: {} in all, not {found:?}", WRITERS * EACH);
    Ok(())
}

fn count(body: &[u8]) -> u64 {
    String::from_utf8_lossy(body).parse().unwrap_or(0)
}

/// Many documents are put at once, some by writers that come too late; every one is what its winner has put.
pub async fn many_documents_are_written_at_once(under_test: &UnderTest) -> Result<(), Failure> {
    const DEVICES: u64 = 300;
    let (documents, instance) = open(under_test, "many").await?;
    let key = |number: u64| shadow(&format!("d{number}"));
    let put = |number: u64, expected: Revision, body: &str| {
        let (instance, body) = (&instance, Bytes::from(format!("{body} {number}")));
        async move { Ok::<_, Failure>(documents.put(instance, &key(number)?, expected, body).await) }
    };
    let first = try_join_all((0..DEVICES).map(|number| put(number, Revision::NONE, "first"))).await?;
    let mut revisions = Vec::new();
    for outcome in first {
        revisions.push(outcome?);
    }
    // Every tenth has read nothing.
    let late = |number: u64| number.is_multiple_of(10);
    let expected = |number: u64, revision: &Revision| if late(number) { Revision::NONE } else { *revision };
    let writes = (0..).zip(&revisions).map(|(number, revision)| put(number, expected(number, revision), "second"));
    let second = try_join_all(writes).await?;
    for (number, (outcome, before)) in (0..).zip(second.into_iter().zip(revisions)) {
        let (revision, body) = if late(number) {
            conflict("a put that had read nothing", outcome)?;
            (before, format!("first {number}"))
        } else {
            (outcome?, format!("second {number}"))
        };
        let (found, wanted) = (documents.get(&instance, &key(number)?).await?, Document { revision, body: body.into() });
        ensure!(found.as_ref() == Some(&wanted), "document {number} is {wanted:?}, not {found:?}");
    }
    Ok(())
}

/// Every kind of key, with ids of all characters and the longest, is a document of its own; so is each in every instance.
pub async fn keys_and_instances_are_told_apart(under_test: &UnderTest) -> Result<(), Failure> {
    let (documents, one) = open(under_test, "keys_1-").await?;
    let (_, two) = open(under_test, "keys_1-2").await?;
    let mut keys = vec![DocumentKey::Cursor(CursorName::Reports)];
    for name in ["a", "a-1", "a_1", "A", "1", "-", "_", "shadow", "reports", &"x".repeat(DEVICE_ID_CHARS_MAX)] {
        keys.push(DocumentKey::Shadow(device(name)?));
        keys.push(DocumentKey::Messages(device(name)?));
        for number in [0, 1, 11, u64::MAX] {
            keys.push(DocumentKey::Message(device(name)?, number));
        }
    }
    let mut written = Vec::new();
    for instance in [&one, &two] {
        for key in &keys {
            let body = Bytes::from(format!("{instance} {key:?}"));
            let revision = documents.put(instance, key, Revision::NONE, body.clone()).await?;
            written.push((instance, key, Document { revision, body }));
        }
    }
    for (instance, key, document) in &written {
        let found = documents.get(instance, key).await?;
        ensure!(found.as_ref() == Some(document), "{key:?} of {instance} is {document:?}, not {found:?}");
    }
    let Some((_, key, document)) = written.first() else { return Err(Failure("nothing was written".to_owned())) };
    documents.delete(&one, key, document.revision).await?;
    expect(documents, &one, key, None).await?;
    let left = documents.get(&two, key).await?;
    ensure!(left.is_some(), "what is deleted in one instance stays in the other");
    Ok(())
}

/// The largest body comes back as it was; a larger one is refused by name of the limit, and changes nothing.
pub async fn what_is_too_large_is_not_put(under_test: &UnderTest) -> Result<(), Failure> {
    let (documents, instance) = open(under_test, "size").await?;
    let key = shadow("d1")?;
    let large = |bytes: usize| Bytes::from((0..=u8::MAX).cycle().take(bytes).collect::<Vec<_>>());
    let revision = documents.put(&instance, &key, Revision::NONE, large(DOCUMENT_BYTES_MAX)).await?;
    match documents.put(&instance, &key, revision, large(DOCUMENT_BYTES_MAX + 1)).await {
        Err(PutError::Backbone(BackboneError::LimitReached { .. })) => {}
        other => return Err(Failure(format!("a body of one byte too many is over a limit, not {other:?}"))),
    }
    let found = documents.get(&instance, &key).await?;
    let wanted = Document { revision, body: large(DOCUMENT_BYTES_MAX) };
    ensure!(found == Some(wanted), "a body of {DOCUMENT_BYTES_MAX} bytes comes back as it was");
    Ok(())
}

/// Sessions and wills are listed, more than any page holds, and nothing else, nothing that was deleted and nothing of another
/// instance; each with the revision that replaces it.
pub async fn sessions_and_wills_are_listed(under_test: &UnderTest) -> Result<(), Failure> {
    const SESSIONS: usize = 300;
    let (documents, instance) = open(under_test, "listed").await?;
    let other = LogId::Instance(under_test.instance("listed-other")?);
    documents.open_sessions(&instance).await?;
    documents.open_sessions(&other).await?;
    ensure!(list(documents, &instance).await?.is_empty(), "nothing is listed where there is nothing");
    let will = |name: &str, number: u64| -> Result<DocumentKey, Failure> {
        let connector = ConnectorId::parse("c-1").map_err(|error| Failure(error.to_string()))?;
        Ok(DocumentKey::Will(device(name)?, Session { connector, number }))
    };
    documents.put(&instance, &shadow("d1")?, Revision::NONE, "shadow".into()).await?;
    documents.put(&instance, &DocumentKey::Messages(device("d1")?), Revision::NONE, "queue".into()).await?;
    documents.put(&other, &DocumentKey::Session(device("d1")?), Revision::NONE, "elsewhere".into()).await?;
    let gone = documents.put(&instance, &will("d1", 1)?, Revision::NONE, "gone".into()).await?;
    documents.delete(&instance, &will("d1", 1)?, gone).await?;
    let mut keys = vec![will("d1", 2)?, will("d1", 10)?, will("d-2_x", u64::MAX)?];
    for number in 0..SESSIONS {
        keys.push(DocumentKey::Session(device(&format!("d{number}"))?));
    }
    let within = &instance;
    let put = |key: DocumentKey| async move {
        let body = Bytes::from(format!("{key:?}"));
        let revision = documents.put(within, &key, Revision::NONE, body.clone()).await?;
        Ok::<_, Failure>((key, Document { revision, body }))
    };
    let mut expected = try_join_all(keys.into_iter().map(put)).await?;
    let (key, document) = &mut expected[0];
    *document =
        Document { revision: documents.put(&instance, key, document.revision, "new".into()).await?, body: "new".into() };
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    let found = list(documents, &instance).await?;
    ensure!(found == expected, "{} documents are listed as they were put, not {found:?}", expected.len());
    let (key, document) = &expected[0];
    documents.put(&instance, key, document.revision, "over".into()).await?;
    Ok(())
}

/// Operators' sessions are kept for the fleet, and listed there and nowhere else.
pub async fn operators_sessions_are_the_fleets(under_test: &UnderTest) -> Result<(), Failure> {
    let (documents, instance) = open(under_test, "operators").await?;
    documents.open(&LogId::Fleet).await?;
    let key = |number: u8| {
        let mut sha256 = [number; 32];
        sha256.iter_mut().zip(under_test.prefix.bytes()).for_each(|(byte, of_run)| *byte = of_run);
        DocumentKey::OperatorSession(sha256)
    };
    let mut written = Vec::new();
    for number in [1, 2, 3] {
        let body = Bytes::from(format!("session {number}"));
        let revision = documents.put(&LogId::Fleet, &key(number), Revision::NONE, body.clone()).await?;
        written.push((key(number), Document { revision, body }));
    }
    documents.put(&instance, &DocumentKey::Session(device("d1")?), Revision::NONE, "of a device".into()).await?;
    let Some((ended, document)) = written.pop() else { return Err(Failure("nothing was written".to_owned())) };
    documents.delete(&LogId::Fleet, &ended, document.revision).await?;
    expect(documents, &LogId::Fleet, &ended, None).await?;
    expect(documents, &LogId::Fleet, &key(1), Some((written[0].1.revision, "session 1"))).await?;
    let found = list(documents, &LogId::Fleet).await?;
    // Other checks share the fleet with this one.
    let of_run: Vec<_> = found.into_iter().filter(|(found, _)| [1, 2, 3].map(key).contains(found)).collect();
    ensure!(of_run == written, "the sessions that are left are listed, not {of_run:?}");
    let of_devices = list(documents, &instance).await?;
    ensure!(of_devices.len() == 1, "an instance lists its own devices' sessions, not {of_devices:?}");
    Ok(())
}

/// What is listed, sorted by key.
async fn list(documents: &dyn Documents, instance: &LogId) -> Result<Vec<(DocumentKey, Document)>, Failure> {
    let (mut listed, mut found) = (documents.sessions(instance).await?, Vec::new());
    while let Some(next) = soon("the end of the list", listed.recv()).await? {
        found.push(next?);
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}
