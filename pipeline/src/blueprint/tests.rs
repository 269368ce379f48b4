//! What is kept of a plant compiles to the same one, and what is named takes the place of a part of it.

use super::*;

#[test]
fn what_is_kept_compiles_to_the_same_plant() {
    let folder = tempfile::tempdir().unwrap();
    let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
    let plant = blueprint.compile().unwrap();
    blueprint.keep(folder.path(), &plant).unwrap();
    let undescribed = Blueprint::undescribed(&PlantArgs::default()).unwrap();
    undescribed
        .keep(folder.path(), &undescribed.compile().unwrap())
        .unwrap();
    let kept = Blueprint::kept(folder.path()).unwrap();
    let hashes = |plant: &Plant| {
        let hashes = (plant.profile_hash(), plant.inventory_hash());
        (hashes.0.to_owned(), hashes.1.to_owned())
    };
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().any(|kept| hashes(kept) == hashes(&plant)));
}

#[test]
fn what_is_not_named_stays_as_it_was_recorded() {
    let recorded = Blueprint::undescribed(&PlantArgs::default()).unwrap();
    let profiles = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../profiles").into());
    let args = PlantArgs {
        profiles,
        ..PlantArgs::default()
    };
    let read = Blueprint::read(&args, Mode::Monitor).unwrap();
    let over = Named::of(&args, &read).over(&recorded);
    assert_eq!(over.inventory, recorded.inventory);
    assert_eq!(over.profiles, read.profiles);
    assert_ne!(over.profiles, recorded.profiles);
    let nothing = Named::of(&PlantArgs::default(), &read);
    assert_eq!(nothing.over(&recorded), recorded);
}

#[test]
fn lists_of_hostile_destinations_are_part_of_it_and_older_ones_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let list = |name: &str, text: &str| {
        std::fs::create_dir_all(folder.path().join("feeds")).unwrap();
        std::fs::write(folder.path().join("feeds").join(name), text).unwrap();
    };
    list("b.csv", "ioc,name\nc2.example.net,rat\n");
    list("a.txt", "203.0.113.77\n");
    list(".hidden", "what an editor left");
    let args = PlantArgs {
        indicators: vec![folder.path().join("feeds")],
        ..PlantArgs::default()
    };
    let blueprint = Blueprint::read(&args, Mode::Monitor).unwrap();
    let plant = blueprint.compile().unwrap();
    assert_eq!(plant.indicators().len(), 2);
    let without = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
    let older = serde_json::to_string(&without).unwrap();
    let older = older.replace(r#","indicators":[]"#, "");
    assert!(!older.contains("indicators"));
    assert_eq!(serde_json::from_str::<Blueprint>(&older).unwrap(), without);
    let text = serde_json::to_string(&blueprint).unwrap();
    assert_eq!(serde_json::from_str::<Blueprint>(&text).unwrap(), blueprint);

    // Both are kept beside each other, and what is not named stays as it was recorded.
    blueprint.keep(folder.path(), &plant).unwrap();
    without
        .keep(folder.path(), &without.compile().unwrap())
        .unwrap();
    assert_eq!(Blueprint::kept(folder.path()).unwrap().len(), 2);
    let named = Named::of(&args, &blueprint).over(&without);
    assert_eq!(named, blueprint);
    let nothing = Named::of(&PlantArgs::default(), &without);
    assert_eq!(nothing.over(&blueprint), blueprint);

    list("a.txt", "10.0.0.1\nnonsense\n");
    let wrong = Blueprint::read(&args, Mode::Monitor).unwrap();
    let told = format!("{:#}", wrong.compile().unwrap_err());
    assert!(told.contains("a.txt cannot be used: 2 problems"), "{told}");
}

#[test]
fn a_folder_without_verdicts_keeps_no_plant() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Blueprint::kept(folder.path()).unwrap().is_empty());
}

#[test]
fn whoever_only_watches_orders_nothing_and_measures_against_the_same() {
    let read = |mode| Blueprint::read(&PlantArgs::default(), mode).unwrap();
    assert_ne!(read(Mode::Enforce), read(Mode::Monitor));
    assert_eq!(read(Mode::Enforce).monitored(), read(Mode::Monitor));
}
