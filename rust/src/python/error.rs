//! A failed check as a Python exception with its number.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::{create_exception, intern};

use crate::errors::{CHECKS, Check, Kind};

create_exception!(nightlight_mls, MlsError, PyException);
create_exception!(nightlight_mls, MalformedError, MlsError);
create_exception!(nightlight_mls, WrongEpochError, MlsError);
create_exception!(nightlight_mls, DuplicateError, MlsError);
create_exception!(nightlight_mls, TooDistantError, MlsError);
create_exception!(nightlight_mls, ForbiddenHandshakeError, MlsError);
create_exception!(nightlight_mls, InvalidError, MlsError);
create_exception!(nightlight_mls, UnknownGroupError, MlsError);
create_exception!(nightlight_mls, DesyncError, MlsError);
create_exception!(nightlight_mls, OrphanWelcomeError, MlsError);
create_exception!(nightlight_mls, StateError, MlsError);
create_exception!(nightlight_mls, FatalError, MlsError);

pub fn raise(check: Check) -> PyErr {
    let text = format!("{}: {}", check.number, check.reason);
    let error = match check.kind {
        Kind::Malformed => MalformedError::new_err(text),
        Kind::WrongEpoch => WrongEpochError::new_err(text),
        Kind::Duplicate => DuplicateError::new_err(text),
        Kind::TooDistant => TooDistantError::new_err(text),
        Kind::ForbiddenHandshake => ForbiddenHandshakeError::new_err(text),
        Kind::Invalid => InvalidError::new_err(text),
        Kind::UnknownGroup => UnknownGroupError::new_err(text),
        Kind::Desync => DesyncError::new_err(text),
        Kind::OrphanWelcome => OrphanWelcomeError::new_err(text),
        Kind::State => StateError::new_err(text),
        Kind::Fatal => FatalError::new_err(text),
    };
    Python::attach(|py| {
        let value = error.value(py);
        let named = value.setattr(intern!(py, "check"), check.number);
        named
            .and_then(|()| value.setattr(intern!(py, "reason"), check.reason))
            .map_or_else(|failure| failure, |()| error)
    })
}

pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MlsError", py.get_type::<MlsError>())?;
    module.add("MalformedError", py.get_type::<MalformedError>())?;
    module.add("WrongEpochError", py.get_type::<WrongEpochError>())?;
    module.add("DuplicateError", py.get_type::<DuplicateError>())?;
    module.add("TooDistantError", py.get_type::<TooDistantError>())?;
    module.add("ForbiddenHandshakeError", py.get_type::<ForbiddenHandshakeError>())?;
    module.add("InvalidError", py.get_type::<InvalidError>())?;
    module.add("UnknownGroupError", py.get_type::<UnknownGroupError>())?;
    module.add("DesyncError", py.get_type::<DesyncError>())?;
    module.add("OrphanWelcomeError", py.get_type::<OrphanWelcomeError>())?;
    module.add("StateError", py.get_type::<StateError>())?;
    module.add("FatalError", py.get_type::<FatalError>())?;
    let checks: Vec<_> = CHECKS.iter().map(|check| (check.number, check.reason)).collect();
    module.add("CHECKS", checks)
}
