//! What those who run the plant are told of commands, in plain words.

use andon_schemas::command::{Action, FlowMatch, Mode};
use andon_schemas::notice::{Lifting, NOTICE_SCHEMA, Notice};
use andon_schemas::order::{Order, OrderState};
use andon_schemas::time::EventTime;

#[cfg(test)]
mod tests;

/// An order that stands somewhere else than before, or of whose release more is known.
pub(crate) struct Turn<'a> {
    pub(crate) order: &'a Order,
    /// When.
    pub(crate) at: EventTime,
    /// Where it stood before; `None` if it is new.
    pub(crate) from: Option<OrderState>,
    /// What became of its release, if that is what is to be told.
    pub(crate) release: Option<Lifting>,
    /// Enforcement points were told to lift it, and have not answered yet.
    pub(crate) is_awaited: bool,
    /// Another order took its place.
    pub(crate) is_replaced: bool,
    /// What else is in force about the device.
    pub(crate) still: Option<Action>,
}

/// The notice of a turn; `None` where nothing changes for the plant: nothing is blocked by `log` and
/// `watch`, what waits for its turn is told when it has it, and what takes the place of something
/// speaks for both.
pub(crate) fn notice(turn: &Turn<'_>) -> Option<Notice> {
    let order = turn.order;
    let command = &order.command;
    let response = &command.response;
    if response.action < Action::Restrict {
        return None;
    }
    let told = Told { order };
    let is_same = turn.from == Some(order.state);
    let (headline, text) = match (order.state, turn.release) {
        (_, Some(came)) => told.lifting(came),
        (_, None) if is_same => return None,
        (OrderState::Proposed, _) => told.proposed(),
        (OrderState::Issued, _) => told.issued(),
        (OrderState::Failed | OrderState::TimedOut, _) => told.not_done()?,
        (OrderState::Expired | OrderState::Released, _) if turn.is_replaced => return None,
        (OrderState::Expired | OrderState::Released, _) => match turn.from? {
            OrderState::Proposed => told.withdrawn(),
            from if from.is_in_force() => told.ended(turn),
            _ => return None,
        },
        (
            OrderState::Approved
            | OrderState::Waiting
            | OrderState::Acknowledged
            | OrderState::Rejected,
            _,
        ) => return None,
    };
    Some(Notice {
        schema: NOTICE_SCHEMA.to_owned(),
        command_id: command.command_id.clone(),
        state: order.state,
        release: turn.release,
        at: turn.at,
        site: command.site.clone(),
        device_id: command.device_id.clone(),
        action: response.action,
        mode: response.mode,
        waits_for_a_person: order.state == OrderState::Proposed,
        headline,
        text,
        stays_open: response.exceptions.clone(),
    })
}

struct Told<'a> {
    order: &'a Order,
}

impl Told<'_> {
    fn is_said_only(&self) -> bool {
        self.order.command.response.mode == Mode::Monitor
    }

    fn what(&self) -> &'static str {
        what(self.order.command.response.action)
    }

    fn why(&self) -> String {
        format!("Why: {}", sentence(&self.order.command.reason))
    }

    fn runs_on(&self) -> String {
        format!("The device itself is not stopped. {}", self.open())
    }

    fn open(&self) -> String {
        let response = &self.order.command.response;
        let flows: Vec<String> = response.exceptions.iter().map(flow).collect();
        match (response.action, flows.is_empty()) {
            (Action::Restrict, _) => "All its other connections stay open.".to_owned(),
            (_, true) => "None of its connections stays open.".to_owned(),
            (_, false) => format!("These stay open: {}.", flows.join("; ")),
        }
    }

    fn ends(&self) -> String {
        self.order
            .command
            .response
            .expires
            .map_or_else(String::new, |expires| {
                format!(" It ends by itself at {expires} unless it is renewed.")
            })
    }

    fn proposed(&self) -> (String, String) {
        let device = &self.order.command.device_id;
        let what = self.what();
        let response = &self.order.command.response;
        let note = sentence(&response.note);
        (
            format!("{device}: a person has to decide whether it is {what}"),
            format!(
                "{device} should be {what}, and that waits for a person: {note} {} Until somebody \
                 decides, nothing is blocked.{}",
                self.why(),
                self.ends()
            ),
        )
    }

    fn issued(&self) -> (String, String) {
        let device = &self.order.command.device_id;
        let what = self.what();
        if self.is_said_only() {
            return (
                format!("{device} would be {what}"),
                format!(
                    "{device} would be {what} if responses were carried out here; nothing is \
                     blocked. {}",
                    self.why()
                ),
            );
        }
        (
            format!("{device} is {what}"),
            format!(
                "{device} is {what}. {} {}{} Do not bypass it; the security operations centre can \
                 release it.",
                self.why(),
                self.runs_on(),
                self.ends()
            ),
        )
    }

    /// In monitor mode nobody was asked to do anything.
    fn not_done(&self) -> Option<(String, String)> {
        if self.is_said_only() {
            return None;
        }
        let device = &self.order.command.device_id;
        let what = self.what();
        let note = sentence(&self.order.note);
        Some((
            format!("{device} should be {what}, and it is not certain that it is"),
            format!(
                "{device} should be {what}, but no enforcement point has confirmed it: {note} Treat \
                 the device as still connected. {}",
                self.why()
            ),
        ))
    }

    /// A person had to decide, and need not any more.
    fn withdrawn(&self) -> (String, String) {
        let device = &self.order.command.device_id;
        let what = self.what();
        let headline = format!("{device}: nobody has to decide any more whether it is {what}");
        let note = sentence(&self.order.note);
        let text = format!("{headline}; by this, nothing was blocked. {note}");
        (headline, text.trim_end().to_owned())
    }

    fn ended(&self, turn: &Turn<'_>) -> (String, String) {
        let device = &self.order.command.device_id;
        let by = self.order.by.as_deref();
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        let (no_longer, still) = if self.is_said_only() {
            ("would no longer be", "would still be")
        } else {
            ("is no longer", "is still")
        };
        let was = self.what();
        let headline = match turn.still {
            None => format!("{device} {no_longer} {was}"),
            Some(action) => format!("{device} {still} {}", what(action)),
        };
        let lifted = match turn.still {
            None => format!("that was lifted{by}"),
            Some(_) => format!("what was lifted{by} is one of several commands ({was})"),
        };
        let note = sentence(&self.order.note);
        let note = if note.is_empty() {
            ".".to_owned()
        } else {
            format!(": {note}")
        };
        let awaited = if turn.is_awaited {
            " Enforcement points have been told; if one cannot lift it, or none answers, you are told."
        } else {
            ""
        };
        let text = format!("{headline}; {lifted}{note}{awaited}");
        (headline, text)
    }

    /// What became of a release that enforcement points were told.
    fn lifting(&self, came: Lifting) -> (String, String) {
        let device = &self.order.command.device_id;
        let what = self.what();
        let note = sentence(&self.order.note);
        let headline = match came {
            Lifting::Done => {
                let headline = format!("{device} is no longer {what} after all");
                let text = format!("{headline}: {note}");
                return (headline, text);
            }
            Lifting::Failed => format!("{device} is still {what}: it could not be lifted"),
            Lifting::TimedOut => {
                format!("{device} may still be {what}: nobody has confirmed that it was lifted")
            }
        };
        let ends = self.order.command.response.expires;
        let ends = ends.map_or_else(String::new, |expires| {
            format!(" If nobody does, it should end by itself at {expires}.")
        });
        let text = format!(
            "{device} should no longer be {what}, but {note} Until that is done, treat it as {what}. \
             {} Do not bypass it: the security operations centre has to lift it at the enforcement \
             point by hand.{ends}",
            self.open(),
        );
        (headline, text)
    }
}

/// What an action does to a device, after "is" or "would be".
fn what(action: Action) -> &'static str {
    match action {
        Action::Quarantine => "cut off from the network",
        Action::Isolate => "cut off from all but its essential servers",
        _ => "kept from some of its connections",
    }
}

fn flow(flow: &FlowMatch) -> String {
    let transport = flow.transport.map_or("", |transport| transport.as_str());
    match flow.port {
        Some(port) => format!("{} ({transport} port {port})", flow.peer),
        None => flow.peer.clone(),
    }
}

/// With a full stop, if there is anything to end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) {
        return text.to_owned();
    }
    format!("{text}.")
}
