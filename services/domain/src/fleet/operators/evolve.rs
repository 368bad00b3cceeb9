//! What becomes of operators and access keys when something happened. Cannot fail; what makes no sense changes nothing.

use super::{AccessKey, AccessKeyId, NewOperator, Operator, OperatorName, PasswordHash, ProjectId, Role, Scope};
use crate::{fleet::Fleet, time::Timestamp};

impl Fleet {
    pub(in crate::fleet) fn operator_created(&mut self, new: &NewOperator, at: Timestamp) {
        self.operators.entry(new.name.clone()).or_insert_with(|| Operator {
            name: new.name.clone(),
            role: new.role,
            scope: new.scope.clone(),
            project: new.project.clone(),
            password_hash: new.password_hash.clone(),
            enabled: true,
            created_at: at,
            sessions_since: at,
        });
    }

    pub(in crate::fleet) fn operator_updated(
        &mut self,
        name: &OperatorName,
        role: Role,
        scope: &Scope,
        enabled: bool,
        at: Timestamp,
    ) {
        if let Some(operator) = self.operators.get_mut(name) {
            if operator.enabled && !enabled {
                operator.end_sessions(at);
            }
            operator.role = role;
            operator.scope = scope.clone();
            operator.enabled = enabled;
        }
    }

    pub(in crate::fleet) fn operator_password_set(&mut self, name: &OperatorName, hash: &PasswordHash, at: Timestamp) {
        if let Some(operator) = self.operators.get_mut(name) {
            operator.password_hash = Some(hash.clone());
            operator.end_sessions(at);
        }
    }

    pub(in crate::fleet) fn operator_deleted(&mut self, name: &OperatorName) {
        self.operators.remove(name);
        self.access_keys.retain(|_, key| key.operator != *name);
    }

    /// A key of an operator who does not exist is not made: it could be allowed nothing.
    pub(in crate::fleet) fn access_key_created(
        &mut self,
        id: &AccessKeyId,
        operator: &OperatorName,
        project: &ProjectId,
        description: &str,
        at: Timestamp,
    ) {
        if !self.operators.contains_key(operator) {
            return;
        }
        self.access_keys.entry(id.clone()).or_insert_with(|| AccessKey {
            id: id.clone(),
            operator: operator.clone(),
            project: project.clone(),
            description: description.into(),
            enabled: true,
            created_at: at,
        });
    }

    pub(in crate::fleet) fn access_key_switched(&mut self, id: &AccessKeyId, enabled: bool) {
        if let Some(key) = self.access_keys.get_mut(id) {
            key.enabled = enabled;
        }
    }
}

impl Operator {
    /// Never lowered: a registrar's clock that was set back must not give life to tokens that were void.
    fn end_sessions(&mut self, at: Timestamp) {
        self.sessions_since = self.sessions_since.max(at);
    }
}
