//! What every Python handle is: a value behind a lock, used without the interpreter's, dead after a fatal error.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

use super::error::raise;
use crate::errors::{DEAD_HANDLE, Kind, Result, guarded};

pub struct Handle<T>(Mutex<Option<T>>);

impl<T: Send> Handle<T> {
    pub fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// What `work` gives. The lock is taken after detaching from the interpreter, so neither waits for the other.
    pub fn run<R: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut T) -> Result<R> + Send) -> PyResult<R> {
        py.detach(|| {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = slot.as_mut().map_or(Err(DEAD_HANDLE), |value| guarded(|| work(value)));
            if outcome.as_ref().is_err_and(|check| check.kind == Kind::Fatal) {
                *slot = None;
            }
            outcome
        })
        .map_err(raise)
    }
}
