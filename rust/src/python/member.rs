//! `Member` and `Group` for Python.

use pyo3::prelude::*;

use super::entries as read_entries;
use super::error::raise;
use super::handle::Handle;
use crate::errors::{Result, guarded};
use crate::group::{self, Received as Outcome};
use crate::leaf::{Change, Leaf};
use crate::member;
use crate::state::Write;

pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Member>()?;
    module.add_class::<Group>()?;
    module.add_class::<Staged>()?;
    module.add_class::<Application>()?;
    module.add_class::<Commit>()
}

#[pyclass(frozen, module = "nightlight_mls")]
pub struct Member(Handle<member::Member>);

#[pymethods]
impl Member {
    #[staticmethod]
    fn create() -> Self {
        Self(Handle::new(member::Member::create()))
    }

    #[staticmethod]
    fn load(py: Python<'_>, entries: &Bound<'_, PyAny>) -> PyResult<Self> {
        let stored = read_entries(entries)?;
        let load = || guarded(|| member::Member::load(stored));
        py.detach(load).map(|member| Self(Handle::new(member))).map_err(raise)
    }

    #[getter]
    fn signature_key(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |member| Ok(member.signature_key().to_vec()))
    }

    fn set_credential(&self, py: Python<'_>, credential: &[u8]) -> PyResult<()> {
        self.0.run(py, |member| {
            member.set_credential(credential);
            Ok(())
        })
    }

    #[pyo3(signature = (count, *, lifetime_s, now_s, last_resort = false))]
    fn key_packages(
        &self,
        py: Python<'_>,
        count: usize,
        lifetime_s: u64,
        now_s: u64,
        last_resort: bool,
    ) -> PyResult<Vec<Vec<u8>>> {
        self.0.run(py, |member| member.key_packages(count, lifetime_s, now_s, last_resort))
    }

    fn forget_key_packages(&self, py: Python<'_>, references: Vec<Vec<u8>>) -> PyResult<()> {
        self.0.run(py, |member| member.forget_key_packages(&references))
    }

    fn create_group(&self, py: Python<'_>, group_id: &[u8], franking_agent: &[u8]) -> PyResult<Group> {
        self.group(py, |member| member.create_group(group_id, franking_agent))
    }

    fn join(&self, py: Python<'_>, welcome: &[u8]) -> PyResult<Group> {
        self.group(py, |member| member.join(welcome))
    }

    fn open(&self, py: Python<'_>, group_id: &[u8], entries: &Bound<'_, PyAny>) -> PyResult<Group> {
        let stored = read_entries(entries)?;
        self.group(py, |member| member.open(group_id, stored))
    }

    fn take_writes(&self, py: Python<'_>) -> PyResult<Vec<Write>> {
        self.0.run(py, |member| Ok(member.take_writes()))
    }
}

impl Member {
    fn group(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut member::Member) -> Result<group::Group> + Send,
    ) -> PyResult<Group> {
        self.0.run(py, work).map(|group| Group(Handle::new(group)))
    }
}

#[pyclass(frozen, module = "nightlight_mls")]
pub struct Group(Handle<group::Group>);

#[pymethods]
impl Group {
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
    fn own_index(&self, py: Python<'_>) -> PyResult<u32> {
        self.0.run(py, |group| Ok(group.own_index()))
    }

    #[getter]
    fn is_active(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.run(py, |group| Ok(group.is_active()))
    }

    #[getter]
    fn has_pending(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.run(py, |group| Ok(group.has_pending()))
    }

    #[getter]
    fn franking_agent(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| group.franking_agent())
    }

    #[getter]
    fn epoch_authenticator(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| Ok(group.epoch_authenticator()))
    }

    #[getter]
    fn confirmed_transcript_hash(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| Ok(group.confirmed_transcript_hash()))
    }

    fn group_info(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| group.group_info())
    }

    fn encrypt(&self, py: Python<'_>, data: &[u8], tag: &[u8]) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| group.encrypt(data, tag))
    }

    #[pyo3(signature = (*, add = Vec::new(), remove = Vec::new(), roles = Vec::new(), credential = None, now_s))]
    fn commit(
        &self,
        py: Python<'_>,
        add: Vec<Vec<u8>>,
        remove: Vec<u32>,
        roles: Vec<u8>,
        credential: Option<&[u8]>,
        now_s: u64,
    ) -> PyResult<Staged> {
        self.0.run(py, |group| group.commit(&add, &remove, &roles, credential, now_s)).map(Staged::from)
    }

    fn accept(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, group::Group::accept)
    }

    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, group::Group::discard)
    }

    fn receive<'py>(&self, py: Python<'py>, message: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        match self.0.run(py, |group| group.receive(message))? {
            Outcome::Application { data, tag, sender, epoch } => {
                let tag = tag.to_vec();
                Ok(Bound::new(py, Application { data, tag, sender, epoch })?.into_any())
            }
            Outcome::Commit { change, own, removes_me } => {
                Ok(Bound::new(py, Commit { change, own, removes_me })?.into_any())
            }
        }
    }

    fn apply(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, group::Group::apply)
    }

    fn reject(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, |group| {
            group.reject();
            Ok(())
        })
    }

    fn export(&self, py: Python<'_>, label: &str, context: &[u8], length: usize) -> PyResult<Vec<u8>> {
        self.0.run(py, |group| group.export(label, context, length))
    }

    fn delete(&self, py: Python<'_>) -> PyResult<()> {
        self.0.run(py, |group| {
            group.delete();
            Ok(())
        })
    }

    fn take_writes(&self, py: Python<'_>) -> PyResult<Vec<Write>> {
        self.0.run(py, |group| Ok(group.take_writes()))
    }
}

#[pyclass(frozen, get_all, module = "nightlight_mls")]
pub struct Staged {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    epoch: u64,
    confirmation_tag: Vec<u8>,
}

impl From<group::Staged> for Staged {
    fn from(staged: group::Staged) -> Self {
        let group::Staged { commit, welcome, epoch, confirmation_tag } = staged;
        Self { commit, welcome, epoch, confirmation_tag }
    }
}

#[pyclass(frozen, get_all, module = "nightlight_mls")]
pub struct Application {
    data: Vec<u8>,
    tag: Vec<u8>,
    sender: Leaf,
    epoch: u64,
}

#[pyclass(frozen, get_all, module = "nightlight_mls")]
pub struct Commit {
    change: Change,
    own: bool,
    removes_me: bool,
}
