//! The audit of an exported log: the tree is computed from the entry bundles and compared with every tile on the way.

use super::error::{AuditError, Flaw, Place};
use super::{Audit, Pins, Source};
use crate::checkpoint::Checkpoint;
use crate::merkle::{Frontier, Hash};
use crate::tiles::{CHECKPOINT_FILE, Tile, VKEY_FILE, WIDTH, concat};
use std::path::{Path, PathBuf};

/// No file of the layout is larger: 256 entries with their lengths.
const FILE_BYTES_MAX: u64 = WIDTH * (crate::ENTRY_BYTES_MAX as u64 + 2);

pub(crate) fn verify(dir: &Path, pins: &Pins) -> Result<Audit, AuditError> {
    let vkey_file = dir.join(VKEY_FILE);
    let vkey = match &pins.vkey {
        Some(pinned) if !vkey_file.exists() => pinned.to_string(),
        _ => {
            let bytes = read(&vkey_file)?;
            let text = String::from_utf8_lossy(&bytes);
            let line = text.strip_suffix('\n').unwrap_or_default();
            line.to_owned()
        }
    };
    let (key, pinned) = super::choose_key(&vkey, &vkey_file, pins)?;
    let file = dir.join(CHECKPOINT_FILE);
    let pin = super::pinned_checkpoint(pins, &key, &file)?;
    let checkpoint = Checkpoint::verify(&read(&file)?, &key).map_err(|error| AuditError::Entry {
        file: file.clone(),
        entry: 0,
        place: Place::Head,
        flaw: Flaw::Altered(error.to_string()),
    })?;
    let at = |entry, size, flaw| AuditError::Entry { file: file.clone(), entry, place: Place::Checkpoint(size), flaw };
    if let Some(pin) = pin.as_ref().filter(|pin| pin.size > checkpoint.size) {
        let why = format!("the pinned checkpoint covers {} entries, {} are there", pin.size, checkpoint.size);
        return Err(at(checkpoint.size, pin.size, Flaw::Missing(why)));
    }
    let mut walk = Walk { dir, frontier: Frontier::default(), levels: Vec::new() };
    for tile in Tile::all(checkpoint.size).take_while(|tile| tile.level.is_none()) {
        for entry in walk.bundle(&tile)? {
            walk.append(&tile, &entry)?;
            let reached = pin.as_ref().filter(|pin| pin.size == walk.frontier.size());
            if reached.is_some_and(|pin| pin.root != walk.frontier.root()) {
                let why = "the pinned checkpoint has another root".to_owned();
                return Err(at(0, walk.frontier.size(), Flaw::Altered(why)));
            }
        }
    }
    walk.partial_tiles()?;
    if walk.frontier.root() != checkpoint.root {
        let why = format!("it signs root {}, the entries give {}", checkpoint.root, walk.frontier.root());
        return Err(at(0, checkpoint.size, Flaw::Altered(why)));
    }
    Ok(Audit {
        source: Source::Export,
        origin: key.origin().to_owned(),
        vkey,
        pinned,
        size: checkpoint.size,
        root: checkpoint.root,
        checkpoints: 1,
        unsigned_tail: 0,
        outbox: 0,
        pending: 0,
        state: [0; 32],
        torn_tail: false,
    })
}

struct Walk<'a> {
    dir: &'a Path,
    frontier: Frontier,
    /// For each level of tiles: number of the tile being filled, and its hashes so far.
    levels: Vec<(u64, Vec<Hash>)>,
}

impl Walk<'_> {
    fn flaw(&self, tile: &Tile, entry: u64, place: Place, flaw: Flaw) -> AuditError {
        AuditError::Entry { file: self.dir.join(tile.path()), entry, place, flaw }
    }

    fn bundle(&self, tile: &Tile) -> Result<Vec<Vec<u8>>, AuditError> {
        let bytes = self.read_tile(tile, tile.first())?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        for index in (tile.first()..).take_while(|index| index - tile.first() < tile.width) {
            let cut = || self.flaw(tile, index, Place::Entry, Flaw::Missing("the bundle ends before it".to_owned()));
            let (len, tail) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            let (entry, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or_else(cut)?;
            entries.push(entry.to_vec());
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(entries);
        }
        let last = tile.first().saturating_add(tile.width).saturating_sub(1);
        Err(self.flaw(tile, last, Place::Entry, Flaw::Malformed(format!("{} bytes follow it", rest.len()))))
    }

    fn append(&mut self, bundle: &Tile, entry: &[u8]) -> Result<(), AuditError> {
        let index = self.frontier.size();
        let mut new = Vec::with_capacity(2);
        self.frontier.append(entry, |hash| new.push(hash));
        for (level, hash) in new.into_iter().step_by(8).enumerate() {
            if self.levels.len() <= level {
                self.levels.push((0, Vec::new()));
            }
            let Some((number, hashes)) = self.levels.get_mut(level) else { continue };
            hashes.push(hash);
            if hashes.len() == 256 {
                let full = (*number, std::mem::take(hashes));
                *number = number.saturating_add(1);
                self.compare(level, full.0, &full.1)?;
            }
        }
        // A flaw of form is reported in the bundle, after the hashes had their chance to show where it was altered.
        super::store::check_form(entry).map_err(|why| self.flaw(bundle, index, Place::Entry, Flaw::Malformed(why)))
    }

    fn partial_tiles(&self) -> Result<(), AuditError> {
        for (level, (number, hashes)) in self.levels.iter().enumerate().filter(|(_, (_, hashes))| !hashes.is_empty()) {
            self.compare(level, *number, hashes)?;
        }
        Ok(())
    }

    fn compare(&self, level: usize, number: u64, hashes: &[Hash]) -> Result<(), AuditError> {
        let (computed, width) = (concat(hashes), u64::try_from(hashes.len()).unwrap_or(WIDTH));
        let tile = Tile { level: u8::try_from(level).ok(), number, width };
        // The first entry below the n-th hash of the tile.
        let entry_of = |n: u64| tile.first().saturating_add(n) << (level.min(7) * 8);
        let found = self.read_tile(&tile, entry_of(0))?;
        if found == computed {
            return Ok(());
        }
        let same = found.iter().zip(&computed).take_while(|(a, b)| a == b).count();
        let n = u64::try_from(same / 32).unwrap_or(0);
        let why = format!("hash {n} of the tile is not the one that the entries give");
        Err(self.flaw(&tile, entry_of(n), Place::Hash(n), Flaw::Altered(why)))
    }

    fn read_tile(&self, tile: &Tile, entry: u64) -> Result<Vec<u8>, AuditError> {
        match read(&self.dir.join(tile.path())) {
            Err(AuditError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(self.flaw(tile, entry, Place::Entry, Flaw::Missing("the file is not there".to_owned())))
            }
            result => result,
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AuditError> {
    let failed = |source| AuditError::Io { path: PathBuf::from(path), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte over the limit is enough to make the comparison fail.
    std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_BYTES_MAX + 1), &mut bytes).map_err(failed)?;
    Ok(bytes)
}
