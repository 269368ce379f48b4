//! What those who run the plant are told of commands, in plain words.

use andon_schemas::command::{Action, FlowMatch, Mode};
use andon_schemas::notice::{NOTICE_SCHEMA, Notice};
use andon_schemas::order::{Order, OrderState};

/// The notice of an order that stands somewhere else now; `None` where nothing changes for the plant:
/// nothing is blocked by `log` and `watch`, and what waits for its turn is told when it has it.
pub fn notice(order: &Order) -> Option<Notice> {
    let command = &order.command;
    let response = &command.response;
    if response.action < Action::Restrict {
        return None;
    }
    let told = Told { order };
    let (headline, text) = match order.state {
        OrderState::Proposed => told.proposed(),
        OrderState::Issued => told.issued(),
        OrderState::Failed | OrderState::TimedOut => told.not_done()?,
        OrderState::Expired | OrderState::Released => told.ended(),
        OrderState::Approved
        | OrderState::Waiting
        | OrderState::Acknowledged
        | OrderState::Rejected => return None,
    };
    Some(Notice {
        schema: NOTICE_SCHEMA.to_owned(),
        command_id: command.command_id.clone(),
        state: order.state,
        at: order.updated,
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

    /// What the command does to the device, after "is" or "would be".
    fn what(&self) -> &'static str {
        match self.order.command.response.action {
            Action::Quarantine => "cut off from the network",
            Action::Isolate => "cut off from all but its essential servers",
            _ => "kept from some of its connections",
        }
    }

    fn why(&self) -> String {
        format!("Why: {}", sentence(&self.order.command.reason))
    }

    fn runs_on(&self) -> String {
        let response = &self.order.command.response;
        let flows: Vec<String> = response.exceptions.iter().map(flow).collect();
        let open = match (response.action, flows.is_empty()) {
            (Action::Restrict, _) => "All its other connections stay open.".to_owned(),
            (_, true) => "None of its connections stays open.".to_owned(),
            (_, false) => format!("These stay open: {}.", flows.join("; ")),
        };
        format!("The device itself is not stopped. {open}")
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

    fn ended(&self) -> (String, String) {
        let device = &self.order.command.device_id;
        let what = self.what();
        let by = self.order.by.as_deref();
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        let verb = if self.is_said_only() {
            "would no longer be"
        } else {
            "is no longer"
        };
        let note = sentence(&self.order.note);
        (
            format!("{device} {verb} {what}"),
            format!("{device} {verb} {what}; that was lifted{by}: {note}")
                .trim_end()
                .to_owned(),
        )
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

#[cfg(test)]
mod tests {
    use andon_schemas::observation::Transport;

    use super::*;
    use crate::Input;
    use crate::orders::Orders;
    use crate::plant_of_tests::Lenient;
    use crate::tests::revision;

    fn order(action: Action, mode: Mode, state: OrderState) -> Order {
        let mut orders = Orders::new();
        let verdict = revision("v", 1, 0, Action::Quarantine);
        let said = orders.step(&Lenient, Input::Verdict(&verdict));
        let mut order = said.orders().next().unwrap().clone();
        order.state = state;
        order.command.response.mode = mode;
        order.command.response.action = action;
        order.command.response.exceptions = vec![FlowMatch {
            peer: "safety-plc".to_owned(),
            transport: Some(Transport::Udp),
            port: Some(44_818),
        }];
        order
    }

    #[test]
    fn people_are_told_what_is_cut_and_what_runs_on() {
        let order = order(Action::Quarantine, Mode::Enforce, OrderState::Issued);
        let told = notice(&order).unwrap();
        assert_eq!(
            told.headline,
            "plc-assembly-line-3 is cut off from the network"
        );
        for part in [
            "The device itself is not stopped.",
            "These stay open: safety-plc (udp port 44818).",
            "It ends by itself at",
        ] {
            assert!(told.text.contains(part), "{}", told.text);
        }
        assert!(!told.waits_for_a_person);
    }

    #[test]
    fn what_is_only_said_is_said_to_be() {
        let order = order(Action::Quarantine, Mode::Monitor, OrderState::Issued);
        let told = notice(&order).unwrap();
        assert!(told.headline.contains("would be"));
        assert!(told.text.contains("nothing is blocked"));
    }

    #[test]
    fn what_waits_for_a_person_says_so_and_what_nobody_confirmed_is_not_called_done() {
        let waits = notice(&order(Action::Isolate, Mode::Enforce, OrderState::Proposed)).unwrap();
        assert!(waits.waits_for_a_person && waits.text.contains("waits for a person"));
        let late = notice(&order(Action::Isolate, Mode::Enforce, OrderState::TimedOut)).unwrap();
        assert!(late.text.contains("Treat the device as still connected"));
        assert!(notice(&order(Action::Isolate, Mode::Monitor, OrderState::TimedOut)).is_none());
    }

    #[test]
    fn nobody_is_called_for_what_changes_nothing() {
        for action in [Action::Log, Action::Watch] {
            assert!(notice(&order(action, Mode::Enforce, OrderState::Issued)).is_none());
        }
        let quiet = order(Action::Quarantine, Mode::Enforce, OrderState::Acknowledged);
        assert!(notice(&quiet).is_none());
    }
}
