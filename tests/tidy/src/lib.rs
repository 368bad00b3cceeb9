//! Checks on the repository itself, as ordinary tests: what a reviewer would otherwise have to remember.
//!
//! The job: arrows between crates and between files, the form of sources, names, words that have no place here, pages of codes, links. Not its
//! job: anything that a compiler, clippy or cargo-deny says better. A check names file, line and what to do.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod constructed;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod failure_modes;
#[cfg(test)]
mod names;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod security_page;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod words;
