//! Topic names and filters: the shape of ours, and the matching rules of MQTT (v5 §4.7).

use std::borrow::Cow;

/// Where everything comes in: `andon/v1/in/{site}/{device}/{kind}`.
pub const IN_BRANCH: &str = "andon/v1/in/";
/// Where everything goes out: `andon/v1/out/{site}/{device}/{verdict|risk|enforcement}`.
pub const OUT_BRANCH: &str = "andon/v1/out/";

/// Which level of our topics names the device.
const DEVICE_LEVEL: usize = 4;

/// A topic of the in-branch, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inbound<'a> {
    /// As written; compare folded.
    pub(super) device: &'a str,
    /// What follows the device: `flow`, `ack`, or several levels.
    pub(super) kind: &'a str,
}

impl<'a> Inbound<'a> {
    /// `None` for a topic outside the in-branch or with an empty level where one must not be.
    pub(super) fn parse(topic: &'a str) -> Option<Self> {
        let mut levels = topic.strip_prefix(IN_BRANCH)?.splitn(3, '/');
        let (site, device, kind) = (levels.next()?, levels.next()?, levels.next()?);
        (!site.is_empty() && !device.is_empty() && !kind.is_empty())
            .then_some(Self { device, kind })
    }
}

/// Whether a client may publish to this name at all: MQTT forbids wildcards and NUL in it. Other
/// control characters are refused too, since names end in logs.
pub(super) fn is_name(topic: &str, bytes_max: usize) -> bool {
    !topic.is_empty()
        && topic.len() <= bytes_max
        && !topic.contains(|c: char| matches!(c, '+' | '#') || c.is_control())
}

/// The topic or filter with its device level in lower case, if it belongs to the out-branch.
pub(super) fn fold_device(topic: &str) -> Cow<'_, str> {
    let device = topic.split('/').nth(DEVICE_LEVEL);
    match device {
        Some(device) if topic.starts_with(OUT_BRANCH) && device.chars().any(char::is_uppercase) => {
            let levels = topic.split('/').enumerate();
            let folded: Vec<Cow<'_, str>> = levels
                .map(|(at, level)| match at {
                    DEVICE_LEVEL => Cow::Owned(level.to_lowercase()),
                    _ => Cow::Borrowed(level),
                })
                .collect();
            Cow::Owned(folded.join("/"))
        }
        _ => Cow::Borrowed(topic),
    }
}

/// A topic filter, known to be well formed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Filter(String);

impl Filter {
    /// `None` if it is not a filter: empty, too long, a control character, `+` or `#` beside
    /// other characters of a level, or `#` before the last level. The device level is folded.
    pub(super) fn parse(text: &str, bytes_max: usize) -> Option<Self> {
        if text.is_empty() || text.len() > bytes_max || text.contains(char::is_control) {
            return None;
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            match level {
                "+" => {}
                "#" if levels.peek().is_none() => {}
                _ if level.contains(['+', '#']) => return None,
                _ => {}
            }
        }
        Some(Self(fold_device(text).into_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels, as written.
    pub(super) fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The topic it names, if it has no wildcard.
    pub(super) fn exact(&self) -> Option<&str> {
        (!self.0.contains(['+', '#'])).then_some(&self.0)
    }

    /// What every topic that matches begins with: the text before the first wildcard, without
    /// the slash there, since `a/#` matches `a` too.
    pub(super) fn prefix(&self) -> &str {
        let end = self.0.find(['+', '#']).unwrap_or(self.0.len());
        let head = &self.0[..end];
        head.strip_suffix('/').unwrap_or(head)
    }

    /// Whether a message to this topic goes to the holder of this filter.
    pub(super) fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.split('/');
        for level in self.levels() {
            match (level, names.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(filter: &str, topic: &str) -> bool {
        Filter::parse(filter, 512).unwrap().matches(topic)
    }

    #[test]
    fn filters_match_as_the_specification_says() {
        for (filter, topic) in [
            ("sport/tennis/player1/#", "sport/tennis/player1"),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
            ),
            ("sport/+", "sport/"),
            ("+/+", "/finance"),
            ("/+", "/finance"),
            ("#", "a/b"),
            ("a/b", "a/b"),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("sport/+", "sport"),
            ("+", "/finance"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a/b", "a/b/c"),
            ("a/+/c", "a/b/d"),
            ("a/b/c", "a/b"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn a_wildcard_beside_other_characters_is_no_filter() {
        for bad in [
            "",
            "a#",
            "a/#/b",
            "a+/b",
            "+a",
            "##",
            "a\u{0}",
            &"x".repeat(513),
        ] {
            assert_eq!(Filter::parse(bad, 512), None, "{bad:?}");
        }
    }

    #[test]
    fn the_prefix_of_a_filter_begins_every_match() {
        for (filter, topic) in [("a/#", "a"), ("a/+/c", "a/b/c"), ("#", "x"), ("a/b", "a/b")] {
            let filter = Filter::parse(filter, 512).unwrap();
            assert!(filter.matches(topic) && topic.starts_with(filter.prefix()));
        }
    }

    #[test]
    fn the_device_level_of_the_out_branch_folds() {
        assert_eq!(
            fold_device("andon/v1/out/Site/CNC-1/risk"),
            "andon/v1/out/Site/cnc-1/risk"
        );
        assert_eq!(
            fold_device("andon/v1/in/S/CNC-1/flow"),
            "andon/v1/in/S/CNC-1/flow"
        );
    }

    #[test]
    fn an_inbound_topic_needs_site_device_and_kind() {
        let inbound = Inbound::parse("andon/v1/in/s/d/flow").unwrap();
        assert_eq!((inbound.device, inbound.kind), ("d", "flow"));
        for bad in [
            "andon/v1/in/s/d",
            "andon/v1/in/s//flow",
            "andon/v1/in//d/flow",
            "x/y",
        ] {
            assert_eq!(Inbound::parse(bad), None, "{bad}");
        }
        assert_eq!(Inbound::parse("andon/v1/in/s/d/"), None);
    }
}
