//! `PublicGroup` for Python.

use pyo3::prelude::*;

use super::error::raise;
use super::handle::Handle;
use crate::errors::guarded;
use crate::leaf::{Change, Leaf};
use crate::public_group::HubGroup;
use crate::state::Write;

#[pyclass(frozen, module = "nightlight_mls")]
pub struct PublicGroup(Handle<HubGroup>);

#[pymethods]
impl PublicGroup {
    #[staticmethod]
    fn from_group_info(py: Python<'_>, group_info: &[u8]) -> PyResult<Self> {
        let read = || guarded(|| HubGroup::from_group_info(group_info));
        py.detach(read).map(|group| Self(Handle::new(group))).map_err(raise)
    }

    #[staticmethod]
    fn load(py: Python<'_>, group_id: &[u8], entries: &Bound<'_, PyAny>) -> PyResult<Self> {
        let stored = super::entries(entries)?;
        let load = || guarded(|| HubGroup::load(group_id, stored));
        py.detach(load).map(|group| Self(Handle::new(group))).map_err(raise)
    }

    #[getter]
    fn group_id(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| Ok(group.group_id()))
    }

    #[getter]
    fn epoch(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.run(py, |group| Ok(group.epoch()))
    }

    #[getter]
    fn members(&self, py: Python<'_>) -> PyResult<Vec<Leaf>> {
        self.0.run(py, |group| group.members())
    }

    #[getter]
    fn franking_agent(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| group.franking_agent())
    }

    fn process(&self, py: Python<'_>, commit: &[u8], now_s: u64) -> PyResult<Change> {
        self.0.run(py, |group| group.process(commit, now_s))
    }

    fn accept(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, HubGroup::accept)
    }

    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, |group| {
            group.discard();
            Ok(())
        })
    }

    fn take_writes(&self, py: Python<'_>) -> PyResult<Vec<Write>> {
        self.0.run(py, |group| Ok(group.take_writes()))
    }
}
