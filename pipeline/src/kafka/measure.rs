//! What lanes are measured against.

use std::sync::Arc;

use andon_engine::Plant;

use crate::blueprint::Blueprint;
use crate::telling::Measured;

/// What lanes are measured against; shared by those of one process.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The files.
    pub blueprint: Arc<Blueprint>,
    /// What they compile to.
    pub plant: Arc<Plant>,
    /// Where the control topic says so; -1 for what it does not say.
    pub position: i64,
}

impl Measure {
    /// What a blueprint comes to.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn of(blueprint: Blueprint, position: i64) -> anyhow::Result<Self> {
        Ok(Self {
            position,
            plant: blueprint.compile()?,
            blueprint: Arc::new(blueprint),
        })
    }

    /// The same, for those who are told of it.
    pub fn measured(&self) -> Measured<'_> {
        Measured {
            plant: &self.plant,
            blueprint: &self.blueprint,
        }
    }
}
