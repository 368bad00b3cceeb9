//! Fleet commands and events as people may see them: printed, or kept with a refused attempt.
//!
//! Invariant: no hash of a password is in them. That there is one stays visible.

use super::{NewOperator, PasswordHash};
use crate::fleet::{FleetCommand, FleetEvent};

impl FleetCommand {
    /// The same, with every password hash [withheld](PasswordHash::withheld).
    #[must_use]
    pub fn for_people(&self) -> Self {
        match self {
            Self::CreateOperator(new) => Self::CreateOperator(new.for_people()),
            Self::SetOperatorPassword { name, password_hash: _ } => {
                Self::SetOperatorPassword { name: name.clone(), password_hash: PasswordHash::withheld() }
            }
            Self::CreateInstance(_)
            | Self::UpdateInstance(_)
            | Self::DeleteInstance(_)
            | Self::UpdateOperator { .. }
            | Self::DeleteOperator(_)
            | Self::CreateAccessKey { .. }
            | Self::SwitchAccessKey { .. }
            | Self::DeleteAccessKey(_) => self.clone(),
        }
    }
}

impl FleetEvent {
    /// The same, with every password hash [withheld](PasswordHash::withheld).
    #[must_use]
    pub fn for_people(&self) -> Self {
        match self {
            Self::OperatorCreated(new) => Self::OperatorCreated(new.for_people()),
            Self::OperatorPasswordSet { name, password_hash: _ } => {
                Self::OperatorPasswordSet { name: name.clone(), password_hash: PasswordHash::withheld() }
            }
            Self::InstanceCreated(_)
            | Self::InstanceUpdated(_)
            | Self::InstanceDeleted(_)
            | Self::OperatorUpdated { .. }
            | Self::OperatorDeleted(_)
            | Self::AccessKeyCreated { .. }
            | Self::AccessKeySwitched { .. }
            | Self::AccessKeyDeleted(_) => self.clone(),
        }
    }
}

impl NewOperator {
    fn for_people(&self) -> Self {
        let password_hash = self.password_hash.as_ref().map(|_| PasswordHash::withheld());
        Self { password_hash, ..self.clone() }
    }
}
