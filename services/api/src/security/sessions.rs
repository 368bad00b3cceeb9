//! Sessions of operators in browsers: a cookie with a random secret, and for each a document that every API process reads at
//! each request.
//!
//! Read each time and held nowhere, so that what one process has ended no other goes on with. The document's key is the SHA-256
//! of the secret: who reads the store cannot sign in; and a code over the document is made with the master key: who writes the store
//! cannot make a session another's. Reads no clock. Invariants: a session that has ended, by its document, by its operator or by
//! time, is not found; no operator has more than `sessions_of_operator_max`, and the fleet no more than
//! `sessions_max` but for one that each process begins in the same moment.

mod cookie;
mod document;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use rollcall_chassis::entropy::Entropy;
use rollcall_domain::{
    fleet::{Fleet, Operator, OperatorName},
    ids::LogId,
    time::Timestamp,
};
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, Documents, PutError, Revision},
};
use tokio::sync::{Mutex, OnceCell};

pub(crate) use self::cookie::{COOKIE, NO_COOKIE, SessionKey, SessionSecret, SetCookie, sent};
use self::document::SessionDocument;
use crate::{
    config::Limits,
    http::{codes::Code, error::ApiError},
};

/// How often each process deletes sessions that have ended by themselves.
pub(crate) const REAPED_EVERY: Duration = Duration::from_secs(600);
/// How often the time of the last request is written, at most, ms.
const SEEN_MS_MIN: i64 = 60 * 1000;
/// How often a deletion is tried again because the document was written meanwhile.
const TRIES_MAX: usize = 8;
/// Deletions under way at a time: they share a sync.
const DELETING_MAX: usize = 16;

pub(crate) struct Sessions {
    documents: Arc<dyn Documents>,
    key: SessionKey,
    idle_ms: i64,
    absolute_ms: i64,
    of_operator_max: usize,
    max: usize,
    opened: OnceCell<()>,
    /// Held while sessions are counted and one is added.
    beginning: Mutex<()>,
}

/// A session as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) key: DocumentKey,
    revision: Revision,
    document: SessionDocument,
    /// Whether the document is as an API process with this master key has written it; otherwise it is nobody's session.
    is_ours: bool,
}

impl Session {
    pub(crate) fn created(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.document.created_ms)
    }

    /// When it ends however much it is used.
    pub(crate) fn ends(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.document.ends_ms)
    }

    /// The operator, enabled, whose it is and who has not ended it since.
    pub(crate) fn operator<'a>(&self, fleet: &'a Fleet) -> Option<&'a Operator> {
        let operator = fleet.operators.get(&OperatorName::parse(&self.document.operator).ok()?)?;
        (self.is_ours && operator.enabled && self.document.created_ms >= operator.sessions_since.unix_ms())
            .then_some(operator)
    }
}

impl Sessions {
    pub(crate) fn new(documents: Arc<dyn Documents>, key: SessionKey, limits: &Limits) -> Self {
        let ms = |seconds: u64| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        Self {
            documents,
            key,
            idle_ms: ms(limits.session_idle_s_max),
            absolute_ms: ms(limits.session_s_max),
            of_operator_max: limits.sessions_of_operator_max.max(1) as usize,
            max: limits.sessions_max as usize,
            opened: OnceCell::new(),
            beginning: Mutex::default(),
        }
    }

    /// The secret in a cookie's value, if it was made with this master key: another costs no reading.
    pub(crate) fn secret(&self, cookie: &str) -> Option<SessionSecret> {
        SessionSecret::read(cookie, &self.key)
    }

    /// Begins a session of an operator whose password was right. The one of theirs that was used longest ago ends if they have
    /// too many: a browser that was closed without signing out keeps nobody out.
    ///
    /// # Errors
    /// [`Code::LimitReached`] for one too many in the fleet; the backbone's.
    pub(crate) async fn begin(
        &self,
        operator: &Operator,
        fleet: &Fleet,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<(SetCookie, Session), ApiError> {
        let _one_at_a_time = self.beginning.lock().await;
        let is_own = |session: &Session| session.document.operator == operator.name.as_str();
        let (live, over): (Vec<_>, Vec<_>) = self.list().await?.into_iter().partition(|it| self.is_live(it, fleet, now));
        if live.len() >= self.max {
            let text =
                format!("{} sessions are open in this fleet, the limit `sessions_max`: sign out elsewhere", live.len());
            return Err(ApiError::new(Code::LimitReached, text));
        }
        let mut own: Vec<_> = live.into_iter().filter(is_own).collect();
        own.sort_by_key(|session| session.document.seen_ms);
        let surplus = (own.len() + 1).saturating_sub(self.of_operator_max);
        for session in over.iter().filter(|session| is_own(session)).chain(own.iter().take(surplus)) {
            self.end(&session.key).await?;
        }
        let secret = SessionSecret::new(entropy);
        // As with tokens: a registrar's clock may be ahead of this one, and the session must not begin before its time.
        let created_ms = now.unix_ms().max(operator.sessions_since.unix_ms());
        let document = SessionDocument {
            operator: operator.name.to_string(),
            created_ms,
            seen_ms: created_ms,
            ends_ms: created_ms.saturating_add(self.absolute_ms),
        };
        let key = secret.document();
        let body = document.write(&secret.sha256(), &self.key);
        let put = self.documents.put(&LogId::Fleet, &key, Revision::NONE, body).await;
        let revision = put.map_err(contended)?;
        Ok((secret.cookie(&self.key), Session { key, revision, document, is_ours: true }))
    }

    /// The session of a secret, unless it has ended.
    ///
    /// # Errors
    /// The backbone's: whether there is one cannot be told.
    pub(crate) async fn find(
        &self,
        secret: &SessionSecret,
        fleet: &Fleet,
        now: Timestamp,
    ) -> Result<Option<Session>, BackboneError> {
        Ok(self.read(secret.document()).await?.filter(|session| self.is_live(session, fleet, now)))
    }

    /// Writes that a session is in use. What cannot be written now is written with a later request; a session that was ended
    /// meanwhile stays ended.
    pub(crate) async fn used(&self, session: &Session, now: Timestamp) {
        let every_ms = SEEN_MS_MIN.min(self.idle_ms / 4);
        if now.unix_ms().saturating_sub(session.document.seen_ms) < every_ms {
            return;
        }
        let DocumentKey::OperatorSession(of) = &session.key else { return };
        let body = SessionDocument { seen_ms: now.unix_ms(), ..session.document.clone() }.write(of, &self.key);
        let put = self.documents.put(&LogId::Fleet, &session.key, session.revision, body).await;
        match put {
            // Another process has written the same, or the session has ended.
            Ok(_) | Err(PutError::Conflict) => {}
            Err(PutError::Backbone(error)) => tracing::debug!(%error, "the last use of a session was not written"),
        }
    }

    /// Whether a session that was found is still there: not ended, and used within its time.
    ///
    /// # Errors
    /// The backbone's: that cannot be told.
    pub(crate) async fn still_holds(&self, key: &DocumentKey, fleet: &Fleet, now: Timestamp) -> Result<bool, BackboneError> {
        Ok(self.read(key.clone()).await?.is_some_and(|session| self.is_live(&session, fleet, now)))
    }

    /// Ends a session, for every process at once. It need not be there.
    ///
    /// # Errors
    /// The backbone's; [`Code::Overloaded`] if it is written faster than it is deleted.
    pub(crate) async fn end(&self, key: &DocumentKey) -> Result<(), ApiError> {
        self.open().await?;
        for _ in 0..TRIES_MAX {
            let Some(found) = self.documents.get(&LogId::Fleet, key).await? else { return Ok(()) };
            match self.documents.delete(&LogId::Fleet, key, found.revision).await {
                Ok(()) => return Ok(()),
                Err(PutError::Conflict) => {}
                Err(PutError::Backbone(error)) => return Err(error.into()),
            }
        }
        Err(contended(PutError::Conflict))
    }

    /// Deletes the documents of sessions that have ended by themselves.
    ///
    /// # Errors
    /// The backbone's.
    pub(crate) async fn reap(&self, fleet: &Fleet, now: Timestamp) -> Result<(), BackboneError> {
        let over = self.list().await?.into_iter().filter(|session| !self.is_live(session, fleet, now));
        let deleting = over.map(|session| async move {
            match self.documents.delete(&LogId::Fleet, &session.key, session.revision).await {
                // Another process was faster.
                Ok(()) | Err(PutError::Conflict) => Ok(()),
                Err(PutError::Backbone(error)) => Err(error),
            }
        });
        let mut deleting = futures_util::stream::iter(deleting).buffer_unordered(DELETING_MAX);
        while let Some(deleted) = deleting.next().await {
            deleted?;
        }
        Ok(())
    }

    /// How long a session may go unused, seconds.
    pub(crate) const fn idle_s(&self) -> i64 {
        self.idle_ms / 1000
    }

    fn is_live(&self, session: &Session, fleet: &Fleet, now: Timestamp) -> bool {
        now.unix_ms() < session.document.over_at_ms(self.idle_ms) && session.operator(fleet).is_some()
    }

    async fn read(&self, key: DocumentKey) -> Result<Option<Session>, BackboneError> {
        self.open().await?;
        let found = self.documents.get(&LogId::Fleet, &key).await?;
        Ok(found.and_then(|found| Session::read(key, found.revision, &found.body, &self.key)))
    }

    async fn list(&self) -> Result<Vec<Session>, BackboneError> {
        self.open().await?;
        let (mut listed, mut found) = (self.documents.sessions(&LogId::Fleet).await?, Vec::new());
        while let Some(next) = listed.recv().await {
            let (key, document) = next?;
            found.extend(Session::read(key, document.revision, &document.body, &self.key));
        }
        Ok(found)
    }

    async fn open(&self) -> Result<(), BackboneError> {
        self.opened.get_or_try_init(|| self.documents.open(&LogId::Fleet)).await.map(|_opened| ())
    }
}

impl Session {
    /// `None`: it is of another version, and so of nobody.
    fn read(key: DocumentKey, revision: Revision, body: &Bytes, with: &SessionKey) -> Option<Self> {
        let DocumentKey::OperatorSession(of) = &key else { return None };
        let (document, is_ours) = SessionDocument::read(body, of, with)?;
        Some(Self { key, revision, document, is_ours })
    }
}

fn contended(error: PutError) -> ApiError {
    match error {
        PutError::Conflict => ApiError::new(Code::Overloaded, "the session keeps changing: try again").retry_after(1),
        PutError::Backbone(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_chassis::entropy::CountingEntropy;
    use rollcall_domain::fleet::{ProjectId, Role, Scope};
    use rollcall_log_memory::MemoryConfig;
    use zeroize::Zeroizing;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn operator(name: &str) -> Operator {
        Operator {
            name: OperatorName::parse(name).unwrap(),
            role: Role::Viewer,
            scope: Scope::default(),
            project: ProjectId::parse(&"0".repeat(32)).unwrap(),
            password_hash: None,
            enabled: true,
            created_at: Timestamp::from_unix_ms(0),
            sessions_since: Timestamp::from_unix_ms(0),
        }
    }

    #[tokio::test]
    async fn sessions_that_have_ended_are_deleted_and_their_number_is_bounded() {
        let documents = rollcall_log_memory::new(MemoryConfig::seeded(1)).documents;
        let limits = Limits { sessions_max: 3, ..Limits::default() };
        let sessions = Sessions::new(Arc::clone(&documents), SessionKey::new(Zeroizing::new([1; 32])), &limits);
        let (entropy, at) = (CountingEntropy::seeded(1), Timestamp::from_unix_ms);
        let mut fleet = Fleet::default();
        for name in ["anna", "ben", "carl"] {
            fleet.operators.insert(OperatorName::parse(name).unwrap(), operator(name));
        }
        let begin =
            async |name: &str, fleet: &Fleet, now_ms| sessions.begin(&operator(name), fleet, &entropy, at(now_ms)).await;
        let (_, idle) = begin("anna", &fleet, 0).await.unwrap();
        let (_, disabled) = begin("ben", &fleet, HOUR_MS).await.unwrap();
        let (_, live) = begin("carl", &fleet, HOUR_MS).await.unwrap();
        begin("carl", &fleet, HOUR_MS).await.expect("what has ended does not count");
        let full = begin("carl", &fleet, HOUR_MS).await.unwrap_err();
        assert_eq!(full.code, Code::LimitReached);
        fleet.operators.remove(&OperatorName::parse("ben").unwrap());
        sessions.reap(&fleet, at(HOUR_MS)).await.unwrap();
        let kept = async |session: &Session| documents.get(&LogId::Fleet, &session.key).await.unwrap().is_some();
        assert!(!kept(&idle).await && !kept(&disabled).await && kept(&live).await);
        // One that ends while it is used by a request that has read it stays ended.
        sessions.end(&live.key).await.unwrap();
        sessions.used(&live, at(HOUR_MS + 120_000)).await;
        assert!(!kept(&live).await);
    }
}
