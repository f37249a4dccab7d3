//! What a crash left in the WAL, read without SQLite.
//!
//! SQLite takes frames up to the last good commit and says nothing about the rest. After a crash the rest is at most one
//! commit, for each was flushed before the next began. More than that means that the file was damaged later, and that
//! acknowledged entries are gone.

use super::error::AuditError;
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Low bit: checksums over big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// Whether the WAL ends in a write that was cut short.
///
/// # Errors
/// [`AuditError::Database`] when commits follow a bad frame.
pub(crate) fn inspect(path: &Path) -> Result<bool, AuditError> {
    let bytes = std::fs::read(path).map_err(|source| AuditError::Io { path: path.to_owned(), source })?;
    scan(&bytes).map_err(|why| AuditError::Database { file: path.to_owned(), why: why.to_owned() })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

fn scan(bytes: &[u8]) -> Result<bool, &'static str> {
    let header = bytes.get(..HEADER_BYTES).and_then(Header::parse);
    let Some(header) = header else {
        // A crash can cut the very first write; frames behind a bad header are something else.
        let frames = bytes.len() > HEADER_BYTES;
        return if frames { Err("the header of the write-ahead log is damaged") } else { Ok(true) };
    };
    let mut sum = header.sum;
    let (mut good, mut since_commit) = (true, false);
    let (mut lost, mut lost_commits, mut lost_after_commit) = (false, 0_u32, false);
    for frame in bytes.get(HEADER_BYTES..).unwrap_or_default().chunks(FRAME_HEADER_BYTES.saturating_add(header.page)) {
        // Frames from before the last reset share neither salt; one that shares only one of them was damaged.
        if word(frame, 8) != Some(header.salt.0) && word(frame, 12) != Some(header.salt.1) {
            good = false;
            continue;
        }
        let commit = word(frame, 4).is_some_and(|pages| pages != 0);
        good = good && header.frame_is_good(frame, &mut sum);
        if good {
            since_commit = !commit;
        } else {
            lost = true;
            lost_after_commit = lost_commits > 0;
            lost_commits = lost_commits.saturating_add(u32::from(commit));
        }
    }
    if lost_commits > 1 || lost_after_commit {
        return Err("commits follow a damaged frame of the write-ahead log: acknowledged entries are lost");
    }
    Ok(lost || since_commit)
}

struct Header {
    big_endian: bool,
    page: usize,
    salt: (u32, u32),
    sum: (u32, u32),
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let magic = word(bytes, 0)?;
        if magic & !1 != MAGIC {
            return None;
        }
        let big_endian = magic & 1 == 1;
        let page = usize::try_from(word(bytes, 8)?).ok().filter(|page| (512..=65_536).contains(page))?;
        let salt = (word(bytes, 16)?, word(bytes, 20)?);
        let stored = (word(bytes, 24)?, word(bytes, 28)?);
        let sum = checksum(big_endian, (0, 0), bytes.get(..24)?);
        (sum == stored).then_some(Self { big_endian, page, salt, sum })
    }

    fn frame_is_good(&self, frame: &[u8], sum: &mut (u32, u32)) -> bool {
        let (Some(head), Some(page)) = (frame.get(..8), frame.get(FRAME_HEADER_BYTES..)) else { return false };
        let salts = (word(frame, 8), word(frame, 12));
        if page.len() != self.page || salts != (Some(self.salt.0), Some(self.salt.1)) {
            return false;
        }
        let next = checksum(self.big_endian, checksum(self.big_endian, *sum, head), page);
        *sum = next;
        word(frame, 16) == Some(next.0) && word(frame, 20) == Some(next.1)
    }
}

/// SQLite's running sum over pairs of words.
fn checksum(big_endian: bool, mut sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let (words, _) = bytes.as_chunks::<4>();
    let read = |word: &[u8; 4]| if big_endian { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) };
    let (pairs, _) = words.as_chunks::<2>();
    for [first, second] in pairs {
        sum.0 = sum.0.wrapping_add(read(first)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(read(second)).wrapping_add(sum.0);
    }
    sum
}
