//! Reading entries and hashes out of an open database: for the journal, the export and the proofs.

use crate::merkle::{Hash, HashReader};
use rusqlite::Connection;
use tlog_tiles::tlog::{Error, record_hash, stored_hash_index};

/// The stored hashes of a database.
pub(crate) struct Hashes<'a>(pub(crate) &'a Connection);

impl Hashes<'_> {
    fn read(&self, indexes: &[u64]) -> rusqlite::Result<Vec<Hash>> {
        let mut statement = self.0.prepare_cached("SELECT hash FROM hashes WHERE idx = ?1")?;
        indexes.iter().map(|index| statement.query_row([index], |row| row.get(0)).map(Hash)).collect()
    }
}

impl HashReader for Hashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        self.read(indexes).map_err(|error| Error::InvalidInput(format!("stored hash: {error}")))
    }
}

/// Why a stored entry cannot be given out.
pub(crate) struct BadEntry {
    pub(crate) index: u64,
    pub(crate) why: String,
}

/// Entries `from..to`, each compared with its stored leaf hash.
pub(crate) fn entries(db: &Connection, from: u64, to: u64) -> Result<Vec<Vec<u8>>, BadEntry> {
    let bad = |index: u64, error: rusqlite::Error| BadEntry { index, why: error.to_string() };
    let sql = "SELECT (SELECT data FROM entries WHERE idx = ?1), (SELECT hash FROM hashes WHERE idx = ?2)";
    let mut statement = db.prepare_cached(sql).map_err(|error| bad(from, error))?;
    let mut found = Vec::new();
    for index in from..to {
        let (data, hash): (Option<Vec<u8>>, Option<[u8; 32]>) = statement
            .query_row([index, stored_hash_index(0, index)], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|error| bad(index, error))?;
        match (data, hash) {
            (Some(data), Some(hash)) if record_hash(&data) == Hash(hash) => found.push(data),
            (Some(_), Some(_)) => {
                return Err(BadEntry { index, why: "the bytes do not match the stored leaf hash".to_owned() });
            }
            (None, _) | (_, None) => {
                return Err(BadEntry { index, why: "the entry or its leaf hash is missing".to_owned() });
            }
        }
    }
    Ok(found)
}
