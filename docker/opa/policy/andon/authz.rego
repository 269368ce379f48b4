# Decides one request of one device: allow, constrain or deny, always with reasons.
#
# Asked at /v1/data/andon/authz/decision with the input
#
#   {"now": "2025-12-16T13:45:00Z",
#    "device": {"id": "temp-sensor-042", "authenticated": true, "address": "10.2.50.42"},
#    "attestation": {"state": "good"},                     # good, failed or unknown
#    "request": {"resource": "telemetry", "action": "write",
#                "address": "10.6.0.13", "transport": "tcp", "port": 8883}}
#
# It stands on three documents. `data.andon.plant` is what `andon pdp data` writes of the inventory.
# `data.andon.risk.devices` has what `GET /v1/risk/DEVICE` of a run says of each device, and until when
# that counts, `expires`. A run keeps both up to date (`[opa]` in andon.toml: push, or bundles that are
# fetched); whoever pushes them otherwise puts `{}` at `data.andon.authz` first, which makes every write
# much faster. `data.andon.limits` lies beside this file, for the plant to set. `andon pdp ask` brings
# all three along.
#
# Whoever the policy cannot tell apart from an intruder is denied; what nothing is known about is
# constrained, and denied where it could do harm. A safety flow between devices of the inventory is
# allowed whatever their risk is: to cut it is for a person to decide, never for a rule.
package andon.authz

import rego.v1

limits := data.andon.limits

device := data.andon.plant.devices[input.device.id]

resource := object.get(data.andon.plant.resources, input.request.resource, {"sensitivity": "CONFIDENTIAL"})

# --- who asks

default is_identified := false

is_identified if {
	input.device.authenticated == true
	device
}

default attestation := "unknown"

attestation := input.attestation.state if input.attestation.state in {"good", "failed"}

# --- what is known of it

now_ns := time.parse_rfc3339_ns(input.now)

# null if nothing is known: null is no zero.
default known_risk := null

# A feed that has died must not leave old trust standing.
known_risk := risk if {
	risk := data.andon.risk.devices[input.device.id]
	risk.score != null
	time.parse_rfc3339_ns(risk.expires) > now_ns
}

# --- what is asked for

rules := data.andon.plant.segments[device.segment].rules

matching contains at if {
	some at, candidate in rules
	some network in candidate.to
	net.cidr_contains(network, input.request.address)
	carried(candidate)
}

carried(candidate) if count(candidate.over) == 0

carried(candidate) if {
	some over in candidate.over
	over.transport == input.request.transport
	on_port(over)
}

on_port(over) if not over.port

on_port(over) if over.port == input.request.port

# The first rule that speaks of it decides, as in the engine.
default rule := null

rule := rules[min(matching)] if count(matching) > 0

default is_safety := false

is_safety if {
	is_identified
	is_in_place
	rule.effect == "allow"
	rule.safety
}

# --- how risky this request is, 0 to 100

default is_in_place := false

is_in_place if {
	some own in device.addresses
	own == input.device.address
}

# Devices behind a gateway, and those whose addresses nobody wrote down, have none to be compared with.
is_in_place if count(device.addresses) == 0

default in_hours := true

in_hours := false if {
	hours := device.hours
	not is_within(hours)
}

is_within(hours) if {
	day := time.weekday([now_ns, data.andon.plant.zone])
	[hour, minute, _] := time.clock([now_ns, data.andon.plant.zone])
	some span in hours
	day in span.days
	at := (hour * 60) + minute
	span.from <= at
	at < span.to
}

parts["device"] := known_risk.score

parts["device"] := limits.points.unknown_device_risk if known_risk == null

parts["location"] := limits.points.unlisted_address if not is_in_place

parts["hours"] := limits.points.off_hours if not in_hours

parts["sensitivity"] := object.get(limits.points.sensitivity, resource.sensitivity, 100)

parts["action"] := object.get(limits.points.action, input.request.action, 100)

request_risk := min([100, sum([points | some points in parts])])

# --- the decision

denials contains "the device's identity is not proven" if not input.device.authenticated

denials contains "the device is not in the inventory" if not device

denials contains "the firmware failed its attestation" if attestation == "failed"

denials contains sprintf("segment %v denies it: %v", [device.segment, rule.name]) if rule.effect == "deny"

denials contains sprintf("no rule of segment %v allows it", [device.segment]) if {
	device
	rule == null
}

denials contains sprintf("the device's risk is %v of 100", [known_risk.score]) if {
	known_risk.score >= limits.deny.device
}

denials contains sprintf("the request's risk is %v of 100, %v", [request_risk, made_of]) if {
	request_risk >= limits.deny.request
}

denials contains "nothing is known of the device's risk, and the request could do harm" if {
	known_risk == null
	could_harm
}

could_harm if input.request.action == "command"

could_harm if resource.sensitivity in {"CONFIDENTIAL", "SAFETY"}

concerns contains "nothing is known of the device's risk" if known_risk == null

concerns contains "the firmware is not attested" if attestation == "unknown"

concerns contains sprintf("the request's risk is %v of 100, %v", [request_risk, made_of]) if {
	request_risk >= limits.constrain.request
}

made_of := concat(" + ", [sprintf("%v %v", [what, parts[what]]) | some what in ["device", "location", "hours", "sensitivity", "action"]; parts[what] > 0])

default outcome := "deny"

outcome := "allow" if is_safety

outcome := "allow" if {
	not is_safety
	count(denials) == 0
	count(concerns) == 0
}

outcome := "constrain" if {
	not is_safety
	count(denials) == 0
	count(concerns) > 0
}

default reasons := []

reasons := sort(denials) if outcome == "deny"

reasons := sort(concerns) if outcome == "constrain"

reasons := [sprintf("rule %v of segment %v; the request's risk is %v of 100", [rule.name, device.segment, request_risk])] if {
	outcome == "allow"
	not is_safety
}

reasons := array.concat(["a safety flow: it stays open, whatever the risk"], sort(denials | concerns)) if is_safety

monitoring := "enhanced" if outcome == "constrain"

monitoring := "enhanced" if {
	is_safety
	count(denials | concerns) > 0
}

default monitoring := "standard"

# What an allowed request is bound to: whom it may reach, for how long, how often.
constraints := {
	"scope": {"address": input.request.address, "transport": input.request.transport, "port": input.request.port, "action": input.request.action},
	"lifetime_s": limits.lifetime_s[outcome],
	"requests_per_minute": limits.requests_per_minute[outcome],
} if {
	outcome != "deny"
}

default constraints := null

decision := {
	"decision": outcome,
	"reasons": reasons,
	"device_risk": known_risk,
	"request_risk": request_risk,
	"request_risk_parts": parts,
	"monitoring": monitoring,
	"constraints": constraints,
}
