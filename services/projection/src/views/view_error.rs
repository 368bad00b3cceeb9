//! Why a view cannot be used.

use crate::files::StoreConfig;

/// Why a store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewError {
    /// The folder or database cannot be opened, even after quarantine.
    #[error("the view store in {folder} cannot be opened: {reason}")]
    Open { folder: String, reason: String },
    /// The view has been closed.
    #[error("the view has been closed")]
    Closed,
    /// The store was opened without the directory.
    #[error("the view store in {folder} was opened without the directory: set `directory` where it is opened")]
    WithoutDirectory { folder: String },
}

impl ViewError {
    /// For what is wrong with the folder of a store.
    pub(super) fn open(config: &StoreConfig) -> impl FnOnce(String) -> Self + use<> {
        let folder = config.folder.display().to_string();
        move |reason| Self::Open { folder, reason }
    }
}
