//! The Python module `nightlight_mls`: names, the border, nothing else.

mod error;
mod handle;
mod hub;
#[cfg(feature = "member")]
mod member;
mod sign;

use openmls_rust_crypto::RustCrypto;
use pyo3::prelude::*;

use crate::errors::{guarded, silence_panics};
use crate::key_package::{self, KeyPackageSummary};
use crate::leaf::{Change, Leaf};
use crate::state;

type Entry = (Vec<u8>, Vec<u8>);

/// `Iterable[tuple[bytes, bytes]]` as the crate takes it.
fn entries(iterable: &Bound<'_, PyAny>) -> PyResult<Vec<Entry>> {
    iterable.try_iter()?.map(|entry| entry?.extract()).collect()
}

#[pyfunction]
fn scope(group_id: &[u8]) -> Vec<u8> {
    state::scope(group_id)
}

#[pyfunction]
fn read_key_package(py: Python<'_>, message: &[u8]) -> PyResult<KeyPackageSummary> {
    let read = || guarded(|| key_package::read(message, &RustCrypto::default()));
    py.detach(read).map_err(error::raise)
}

#[pyfunction]
fn read_welcome(py: Python<'_>, message: &[u8]) -> PyResult<Vec<Vec<u8>>> {
    py.detach(|| guarded(|| key_package::read_welcome(message))).map_err(error::raise)
}

#[pymodule]
fn nightlight_mls(module: &Bound<'_, PyModule>) -> PyResult<()> {
    silence_panics();
    error::add_to(module)?;
    module.add_function(wrap_pyfunction!(scope, module)?)?;
    module.add_function(wrap_pyfunction!(read_key_package, module)?)?;
    module.add_function(wrap_pyfunction!(read_welcome, module)?)?;
    module.add_class::<Leaf>()?;
    module.add_class::<Change>()?;
    module.add_class::<KeyPackageSummary>()?;
    module.add_class::<sign::SigningKey>()?;
    module.add_class::<hub::PublicGroup>()?;
    #[cfg(feature = "member")]
    member::add_to(module)?;
    Ok(())
}
