//! A webhook that takes verdicts in a form of JSON.

use andon_schemas::verdict::Verdict;

use crate::hook::{Hook, HookError, HookOptions};
use crate::outlet::{Event, Trouble, Way};
use crate::siem::{Form, Writer};

/// How to reach a receiver over HTTP.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Where it is, and how it knows us.
    pub hook: HookOptions,
    /// What a body holds; a form of JSON.
    pub form: Form,
}

/// Why a webhook cannot be.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its receiver cannot be reached like this.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// It takes JSON only.
    #[error("a body holds JSON, and `{}` is none", .0.as_str())]
    Form(Form),
}

/// Posts verdicts.
#[derive(Debug)]
pub struct Webhook {
    hook: Hook,
    form: Form,
    writer: Writer,
}

impl Webhook {
    /// Nothing is opened before something is sent.
    ///
    /// # Errors
    /// If an option cannot be used.
    pub fn new(options: WebhookOptions, writer: Writer) -> Result<Self, WebhookError> {
        if !options.form.is_json() {
            return Err(WebhookError::Form(options.form));
        }
        Ok(Self {
            hook: Hook::new(options.hook, &writer.version)?,
            form: options.form,
            writer,
        })
    }
}

impl Way<Verdict> for Webhook {
    fn send(&mut self, event: &Event<'_, Verdict>) -> Result<(), Trouble> {
        let body = self.form.line(event.item, &self.writer);
        self.hook.post(&event.id, &body)
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn window(&self) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json() {
        let options = WebhookOptions {
            hook: HookOptions {
                url: "https://x/".to_owned(),
                secret: None,
                authorization: None,
                ca: None,
            },
            form: Form::Cef,
        };
        let error = Webhook::new(options, Writer::new("1", "h")).unwrap_err();
        assert!(error.to_string().contains("JSON"), "{error}");
    }
}
