//! Keys of the database: the number of a generation, the kind of key, and its parts.

/// Keys of no generation: the table of generations itself.
pub(crate) const META: u32 = 0;
pub(crate) const META_INSTANCE: u8 = b'I';
pub(crate) const META_NEXT: u8 = b'N';
pub(crate) const META_SEEN: u8 = b'S';
pub(crate) const META_CONNECTS: u8 = b'Q';
/// Between the parts of a key; no id can hold it.
pub(crate) const SEPARATOR: u8 = 0;

pub(crate) fn key(generation: u32, kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = generation.to_be_bytes().to_vec();
    key.push(kind);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            key.push(SEPARATOR);
        }
        key.extend_from_slice(part);
    }
    key
}
