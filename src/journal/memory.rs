//! A journal that lives as long as the process: for dry runs and tests.

use std::collections::BTreeMap;

use super::{Batch, Journal, JournalError, Key, Record};

/// Keeps what was committed in memory.
#[derive(Debug, Default)]
pub struct Memory {
    records: BTreeMap<Key, Record>,
    epoch: u64,
}

impl Journal for Memory {
    fn load(&mut self) -> Result<Vec<(Key, Record)>, JournalError> {
        let records = self.records.iter();
        Ok(records.map(|(k, r)| (k.clone(), r.clone())).collect())
    }

    fn commit(&mut self, batch: &Batch, epoch: u64) -> Result<(), JournalError> {
        if epoch < self.epoch {
            let newer = self.epoch;
            return Err(JournalError::Fenced { epoch, newer });
        }
        self.epoch = epoch;
        for (key, record) in &batch.0 {
            match record {
                Some(record) => self.records.insert(key.clone(), record.clone()),
                None => self.records.remove(key),
            };
        }
        Ok(())
    }
}
