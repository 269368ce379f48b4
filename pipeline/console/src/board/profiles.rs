//! The profiles that devices are measured against: which are in force, and of how many devices.

mod machine;
mod sheet;
mod talk;

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_schemas::profile::Profile;
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::sheet::Sheet;
use super::Board;
use super::floor::Floor;
use super::views::shown;
use super::wire::LampCounts;

/// The profiles in force.
#[derive(Debug, Default)]
pub(super) struct InForce {
    hash: String,
    profiles: BTreeMap<String, Arc<Profile>>,
}

/// Every profile in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ProfileList {
    /// SHA-256 over the names and hashes of all, lower-case hex.
    hash: String,
    /// By name.
    profiles: Vec<ProfileRow>,
    /// Types of watched devices that have none.
    without: Vec<Unprofiled>,
}

/// A profile in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ProfileRow {
    /// The device type that it is about.
    device_type: String,
    /// Its version, as its authors count.
    version: String,
    /// SHA-256 over what it says, lower-case hex.
    hash: String,
    /// One line for people.
    description: String,
    /// Whether its statistics are graded as they are: `andon tune` measured them on clean traffic.
    calibrated: bool,
    /// Watched devices of the type.
    devices: u64,
    /// Their lamps: a device has one open verdict at most.
    counts: LampCounts,
}

/// A type of watched devices that no profile is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Unprofiled {
    /// Its name.
    device_type: String,
    /// Watched devices of the type.
    devices: u64,
    /// Their lamps.
    counts: LampCounts,
}

/// A profile with how its devices are doing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ProfileView {
    #[serde(flatten)]
    row: ProfileRow,
    /// IANA name of the time zone that hours of the day are in.
    timezone: String,
    #[serde(flatten)]
    sheet: Sheet,
}

impl ProfileRow {
    fn of(profile: &Profile, counts: LampCounts) -> Self {
        Self {
            device_type: profile.name.clone(),
            version: profile.version.clone(),
            hash: profile.hash.clone(),
            description: profile.description.clone(),
            calibrated: profile.calibration.is_some(),
            devices: counts.total(),
            counts,
        }
    }
}

/// The lamps of watched devices by type; in silence nothing counts as normal.
fn lamps_by_type(floor: &Floor, silent: bool) -> BTreeMap<&str, LampCounts> {
    let mut counts: BTreeMap<&str, LampCounts> = BTreeMap::new();
    for station in floor.watched() {
        let of_type = counts.entry(&station.device_type).or_default();
        of_type.count(shown(station.cell.lamp(), silent));
    }
    counts
}

impl Board {
    /// Devices are measured against these profiles from now on; `hash` names all of them. Whoever
    /// follows is told with the next [`change`](Self::change).
    pub fn measure_by(&self, hash: &str, profiles: impl IntoIterator<Item = Arc<Profile>>) {
        let by_name = |profile: Arc<Profile>| (profile.name.clone(), profile);
        self.0.profiles.store(Arc::new(InForce {
            hash: hash.to_owned(),
            profiles: profiles.into_iter().map(by_name).collect(),
        }));
    }

    /// Every profile in force.
    pub(crate) fn profiles(&self, silent: bool) -> ProfileList {
        let (in_force, floor) = (self.0.profiles.load(), self.floor());
        let mut lamps = lamps_by_type(&floor, silent);
        let row = |profile: &Arc<Profile>| {
            let counts = lamps.remove(&*profile.name).unwrap_or_default();
            ProfileRow::of(profile, counts)
        };
        let profiles = in_force.profiles.values().map(row).collect();
        let without = lamps.into_iter().map(|(device_type, counts)| Unprofiled {
            device_type: device_type.to_owned(),
            devices: counts.total(),
            counts,
        });
        ProfileList {
            hash: in_force.hash.clone(),
            profiles,
            without: without.collect(),
        }
    }

    /// The profile of a device type; `None` if none is in force.
    pub(crate) fn profile(&self, device_type: &str, silent: bool) -> Option<ProfileView> {
        let in_force = self.0.profiles.load();
        let profile = in_force.profiles.get(device_type)?;
        let floor = self.floor();
        let mut counts = LampCounts::default();
        let own = |station: &&super::floor::Station| *station.device_type == *device_type;
        for station in floor.watched().filter(own) {
            counts.count(shown(station.cell.lamp(), silent));
        }
        Some(ProfileView {
            row: ProfileRow::of(profile, counts),
            timezone: floor.timezone.clone(),
            sheet: Sheet::of(profile),
        })
    }
}
