//! What lanes are measured against.

use std::sync::Arc;

use andon_engine::Plant;

use crate::blueprint::Blueprint;

/// What lanes are measured against; shared by those of one process.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The files.
    pub blueprint: Arc<Blueprint>,
    /// What they compile to.
    pub plant: Arc<Plant>,
}

impl Measure {
    /// What a blueprint comes to.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn of(blueprint: Blueprint) -> anyhow::Result<Self> {
        Ok(Self {
            plant: blueprint.compile()?,
            blueprint: Arc::new(blueprint),
        })
    }
}
