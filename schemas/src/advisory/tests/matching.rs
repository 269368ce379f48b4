//! Which device is which product.

use super::super::product::Names;
use super::*;

fn fit(vendor: &str, model: &str, of: &str, product: &str) -> Fit {
    let (ours, theirs) = (Vendor::read(vendor), Vendor::read(of));
    if !ours.is(&theirs) {
        return Fit::No;
    }
    Names::of(product, &theirs).fit(&[Name::read(model, &ours)])
}

#[test]
fn a_model_is_a_product_whose_whole_name_it_holds() {
    for (vendor, model, of, product, expected) in [
        (
            "Siemens",
            "SIMATIC S7-1500 CPU 1511-1 PN",
            "Siemens AG",
            "SIMATIC S7-1500",
            Fit::Is,
        ),
        (
            "Siemens",
            "S7-1500",
            "Siemens",
            "SIMATIC S7-1500 CPU 1511-1 PN",
            Fit::Maybe,
        ),
        (
            "Siemens",
            "6ES7511-1AK01-0AB0",
            "Siemens",
            "CPU 1511-1 PN (6ES7511-1AK01-0AB0)",
            Fit::Is,
        ),
        ("Siemens", "Siemens S7 1500", "Siemens", "S7-1500", Fit::Is),
        (
            "Siemens",
            "SIMATIC S7-1500",
            "Siemens",
            "SIMATIC S7-1200",
            Fit::No,
        ),
        (
            "Siemens",
            "S7-1500",
            "Rockwell Automation",
            "S7-1500",
            Fit::No,
        ),
        (
            "Rockwell",
            "ControlLogix 5580",
            "Rockwell Automation",
            "ControlLogix 5580",
            Fit::Is,
        ),
        (
            "Mitsubishi Electric",
            "FX5U",
            "Mitsubishi Electric Corporation",
            "FX5U-80MT",
            Fit::Maybe,
        ),
        (
            "Delta",
            "CNCSoft-B",
            "Delta Electronics",
            "CNCSoft",
            Fit::Maybe,
        ),
        ("Siemens", "S7-1500", "Siemens", "1500", Fit::Maybe),
        ("Moxa", "EDS-405A", "Moxa", "EDS-405A series", Fit::Is),
        // A number alone is no name within another one.
        ("Acme", "Press 100", "Acme", "100", Fit::No),
        ("Acme", "Press 1000", "Acme", "Press 100", Fit::No),
    ] {
        assert_eq!(
            fit(vendor, model, of, product),
            expected,
            "{model} / {product}"
        );
    }
}

#[test]
fn order_numbers_may_have_wildcards() {
    let all = advisories(&[&document("known_affected", "*")]);
    let affected = [("CVE-2025-0001".to_owned(), Affected::Affected)];
    assert_eq!(verdicts(&all, "7AC100-1BX-0A", None), affected);
    assert_eq!(verdicts(&all, "7AC100-1BX-0B", None), []);
}

#[test]
fn a_product_of_one_number_is_not_one_of_another() {
    let name = "CPU 1511-1 PN (6ES7511-1AK00-0AB0)";
    let vendor = Vendor::read("Siemens");
    let fit = |models: &[&str]| {
        let models: Vec<Name> = models
            .iter()
            .map(|model| Name::read(model, &vendor))
            .collect();
        Names::of(name, &vendor).fit(&models)
    };
    assert_eq!(fit(&["CPU 1511-1 PN", "6ES7511-1AK00-0AB0"]), Fit::Is);
    assert_eq!(fit(&["6es7511 1ak00 0ab0"]), Fit::Is);
    // Nobody said which variant it is.
    assert_eq!(fit(&["CPU 1511-1 PN"]), Fit::Maybe);
    assert_eq!(fit(&["CPU 1511-1 PN", "6ES7511-1AK02-0AB0"]), Fit::No);
    // Another number says nothing of this one.
    assert_eq!(fit(&["CPU 1511-1 PN", "SC-45/7"]), Fit::Maybe);
}

#[test]
fn a_model_that_says_too_little_cannot_be_told() {
    let all = advisories(&[&document("known_affected", "<3")]);
    let found = all.of(Some(&make("Acme", "Press")), firmware("2"));
    assert_eq!((found.affected, found.cannot_tell), (0, 1));
    assert!(
        found.advisories[0]
            .reason
            .contains("the inventory says only Press")
    );
    // Its version is out of the range all the same.
    assert_eq!(verdicts(&all, "Press", Some("3.1")), []);
}

#[test]
fn of_a_device_without_vendor_or_model_nothing_is_said() {
    let all = advisories(&[&document("known_affected", "*")]);
    let no_model = Make {
        models: Vec::new(),
        ..make("Acme", "x")
    };
    for make in [None, Some(&no_model), Some(&make("Other", "Press 100"))] {
        assert_eq!(all.of(make, firmware("1")).advisories, []);
    }
}
