//! A process's own data is its owner's alone, whatever the umask that it was started with.
//!
//! The stores below make their files by themselves and take no mode, so the process's umask is set, once, before anything is
//! made. Does not change the mode of a folder that somebody else may have made for more than this process's data.

use std::{
    fs::{DirBuilder, Permissions},
    io::{Error, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use rustix::fs::Mode;

/// The mode of a folder that only its owner may look into.
const OWNERS: u32 = 0o700;

/// From here on the group and others get no access to what this process makes: folders 0700, files 0600. For the services;
/// tools leave it to the umask who may read the certificates that they make.
pub fn restrict_umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a data folder for its owner alone, and closes the folders in it that an earlier version has left open. A data folder
/// that is there keeps its mode: it may be a home folder, or be shared on purpose. What is in it does not.
///
/// # Errors
/// The operating system's, with the folder's name.
pub fn make_data_folder(data: &Path, own: &[&str]) -> Result<(), Error> {
    let failed = |folder: &Path, error: Error| Error::new(error.kind(), format!("{}: {error}", folder.display()));
    DirBuilder::new().recursive(true).mode(OWNERS).create(data).map_err(|error| failed(data, error))?;
    for name in own {
        let folder = data.join(name);
        match std::fs::set_permissions(&folder, Permissions::from_mode(OWNERS)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&folder, error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_makes_is_its_owners_whatever_the_umask_was() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        let (data, old) = (outside.path().join("a/data"), outside.path().join("old"));
        let mode = |path: &Path| std::fs::metadata(path).expect("made").permissions().mode() & 0o777;
        rustix::process::umask(Mode::empty());
        std::fs::create_dir_all(old.join("log")).expect("made");
        restrict_umask();
        make_data_folder(&data, &["log"]).expect("made");
        std::fs::create_dir(data.join("views")).expect("made");
        std::fs::write(data.join("views/db"), "records").expect("written");
        for (path, expected) in [("", 0o700), ("views", 0o700), ("views/db", 0o600)] {
            assert_eq!(mode(&data.join(path)), expected, "{path}");
        }
        make_data_folder(&old, &["log", "views"]).expect("closed");
        assert_eq!((mode(&old), mode(&old.join("log"))), (0o777, 0o700), "only what is ours is closed");
    }
}
