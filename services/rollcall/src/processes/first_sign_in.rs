//! What the first administrator signs in with, made once and kept nowhere else: in a file for its owner alone, since standard
//! output goes to journals and to other programs.
//!
//! Does not make it; the API does. The file is the administrator's to remove.

use std::path::{Path, PathBuf};

use rollcall_api::FirstAdministrator;
use rollcall_chassis::secret_file;
use secrecy::ExposeSecret as _;
use serde_json::json;
use zeroize::Zeroizing;

/// The file's name, in a data folder.
const FILE: &str = "first-administrator.json";

/// Writes the file if this process has made the administrator, and returns its path.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(data: &Path, first: &FirstAdministrator) -> anyhow::Result<Option<PathBuf>> {
    let Some(password) = &first.password else { return Ok(None) };
    let text = json!({
        "operator": first.operator,
        "password": password.expose_secret(),
        "project_id": first.project_id,
        "access_key": first.access_key,
        "secret_key": first.secret_key.expose_secret(),
    });
    let file = data.join(FILE);
    secret_file::replace(&file, &Zeroizing::new(format!("{text:#}\n")))?;
    Ok(Some(std::fs::canonicalize(&file).unwrap_or(file)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_process_that_made_a_password_writes_it_and_for_its_owner_alone() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let first = |password: Option<&str>| FirstAdministrator {
            project_id: "p".to_owned(),
            operator: "admin".to_owned(),
            password: password.map(|password| password.to_owned().into()),
            access_key: "AK".to_owned(),
            secret_key: "SK".to_owned().into(),
        };
        assert_eq!(write(data.path(), &first(None)).expect("nothing to write"), None);
        for password in ["one", "another"] {
            let file = write(data.path(), &first(Some(password))).expect("written").expect("a file");
            let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
            assert_eq!((&read["password"], &read["secret_key"]), (&password.into(), &"SK".into()));
            assert_eq!(std::fs::metadata(&file).expect("metadata").permissions().mode() & 0o777, 0o600);
        }
    }
}
