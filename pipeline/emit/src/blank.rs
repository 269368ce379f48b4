//! What is never told, wherever it comes back from.

/// Shorter ones are in half of all words.
const SHORTEST: usize = 4;

/// A text of somebody else's in which secrets of ours do not stand: who was told one may repeat it.
pub(crate) fn blanked<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if secret.len() >= SHORTEST {
            text = text.replace(secret, "…");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_blanked_and_what_is_too_short_to_tell_stays() {
        let said = blanked("you sent Bearer whisper, or whisper", ["whisper", "or"]);
        assert_eq!(said, "you sent Bearer …, or …");
    }
}
