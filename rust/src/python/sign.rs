//! `SigningKey` for Python.

use pyo3::prelude::*;

use super::error::raise;
use crate::signing;

#[pyclass(frozen, module = "nightlight_mls")]
pub struct SigningKey(signing::SigningKey);

#[pymethods]
impl SigningKey {
    #[staticmethod]
    fn generate() -> Self {
        Self(signing::SigningKey::generate())
    }

    #[staticmethod]
    fn from_seed(seed: &[u8]) -> PyResult<Self> {
        signing::SigningKey::from_seed(seed).map(Self).map_err(raise)
    }

    fn seed(&self) -> Vec<u8> {
        self.0.seed().to_vec()
    }

    #[getter]
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key().to_vec()
    }

    fn sign_with_label(&self, py: Python<'_>, label: &str, content: &[u8]) -> Vec<u8> {
        py.detach(|| self.0.sign_with_label(label, content).to_vec())
    }

    fn sign_many_with_label(&self, py: Python<'_>, label: &str, contents: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let sign = |content: &Vec<u8>| self.0.sign_with_label(label, content).to_vec();
        py.detach(|| contents.iter().map(sign).collect())
    }
}
