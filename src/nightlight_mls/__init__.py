"""The Rust crate in ``rust/``, as a module; its names and types are in the stub beside this file."""

from .nightlight_mls import *  # noqa: F403
