package andon.authz_test

import rego.v1

import data.andon.authz

plant := {
	"zone": "Europe/Berlin",
	"devices": {
		"temp-sensor-042": {"type": "temperature_sensor", "segment": "assembly", "addresses": ["10.2.50.42"]},
		"robot-7": {
			"type": "robotic_arm", "segment": "handling-safety", "addresses": ["10.4.10.7"],
			"hours": [{"days": ["Monday", "Tuesday"], "from": 360, "to": 1320}],
		},
		"legacy-1": {"type": "conveyor", "segment": "assembly", "addresses": []},
	},
	"resources": {"telemetry": {"sensitivity": "INTERNAL"}, "safety-plc": {"sensitivity": "SAFETY"}},
	"segments": {
		"assembly": {"rules": [
			{"name": "telemetry", "effect": "allow", "safety": false, "to": ["10.6.0.13/32"], "over": [{"transport": "tcp", "port": 8883}]},
			{"name": "internet", "effect": "deny", "safety": false, "to": ["0.0.0.0/0"], "over": []},
		]},
		"handling-safety": {"rules": [
			{"name": "safety", "effect": "allow", "safety": true, "to": ["10.6.0.20/32"], "over": [{"transport": "udp", "port": 44818}]},
			{"name": "fleet", "effect": "allow", "safety": false, "to": ["10.6.0.16/32"], "over": [{"transport": "tcp"}]},
			{"name": "paint-shop", "effect": "deny", "safety": false, "to": ["10.5.10.0/24"], "over": []},
		]},
	},
}

risk(score) := {"score": score, "trust": 100 - score, "expires": "2025-12-16T14:00:00Z"}

# The request of the requirements: a temperature sensor, a Tuesday, 14:45 in the plant.
request := {
	"now": "2025-12-16T13:45:00Z",
	"device": {"id": "temp-sensor-042", "authenticated": true, "address": "10.2.50.42"},
	"attestation": {"state": "good"},
	"request": {"resource": "telemetry", "action": "write", "address": "10.6.0.13", "transport": "tcp", "port": 8883},
}

safety_request := {
	"now": "2025-12-16T13:45:00Z",
	"device": {"id": "robot-7", "authenticated": true, "address": "10.4.10.7"},
	"attestation": {"state": "good"},
	"request": {"resource": "safety-plc", "action": "write", "address": "10.6.0.20", "transport": "udp", "port": 44818},
}

patched(base, path, value) := json.patch(base, [{"op": "replace", "path": path, "value": value}])

decided(asked, risks) := answer if {
	answer := authz.decision with input as asked
		with data.andon.plant as plant
		with data.andon.risk.devices as risks
}

test_the_normal_request_is_allowed_with_standard_monitoring if {
	d := decided(request, {"temp-sensor-042": risk(25)})
	d.decision == "allow"
	d.monitoring == "standard"
	d.request_risk == 30
	d.constraints.scope.port == 8883
}

test_a_critical_device_is_denied_with_its_risk_named if {
	d := decided(request, {"temp-sensor-042": risk(96)})
	d.decision == "deny"
	"the device's risk is 96 of 100" in d.reasons
	d.constraints == null
}

test_medium_risk_is_constrained if {
	d := decided(request, {"temp-sensor-042": risk(60)})
	d.decision == "constrain"
	d.constraints.requests_per_minute == 10
	d.constraints.lifetime_s == 300
	d.reasons == ["the request's risk is 65 of 100, device 60 + sensitivity 5"]
}

test_an_unknown_risk_is_not_zero if {
	decided(request, {}).decision == "constrain"
	decided(request, {"temp-sensor-042": object.union(risk(0), {"score": null})}).decision == "constrain"
	decided(patched(request, "/request/action", "command"), {}).decision == "deny"
	decided(patched(request, "/request/resource", "safety-plc"), {}).decision == "deny"
}

test_a_dead_feed_is_no_trust if {
	d := decided(patched(request, "/now", "2025-12-16T14:00:01Z"), {"temp-sensor-042": risk(0)})
	d.decision == "constrain"
	d.device_risk == null
}

test_who_is_not_known_is_denied if {
	d := decided(patched(request, "/device/id", "nobody"), {"nobody": risk(0)})
	d.decision == "deny"
	"the device is not in the inventory" in d.reasons
	decided(patched(request, "/device/authenticated", false), {"temp-sensor-042": risk(0)}).decision == "deny"
	decided(patched(request, "/attestation/state", "failed"), {"temp-sensor-042": risk(0)}).decision == "deny"
}

test_an_input_without_fields_is_denied_and_not_undefined if {
	decided({}, {}).decision == "deny"
	decided({"now": "yesterday", "device": {"id": 5}}, {}).decision == "deny"
}

test_another_address_than_the_listed_one_adds_to_the_risk if {
	d := decided(patched(request, "/device/address", "10.2.50.99"), {"temp-sensor-042": risk(25)})
	d.decision == "constrain"
	d.request_risk_parts.location == 30
}

test_a_device_behind_a_gateway_has_no_address_to_be_compared_with if {
	asked := patched(patched(request, "/device/id", "legacy-1"), "/device/address", "10.2.50.1")
	decided(asked, {"legacy-1": risk(10)}).decision == "allow"
}

test_the_segment_policy_is_kept_to if {
	denied := decided(patched(request, "/request/address", "203.0.113.77"), {"temp-sensor-042": risk(0)})
	denied.reasons == ["segment assembly denies it: internet"]
	unlisted := decided(patched(safety_request, "/request/address", "10.6.0.99"), {"robot-7": risk(0)})
	unlisted.reasons == ["no rule of segment handling-safety allows it"]
	paint := decided(patched(safety_request, "/request/address", "10.5.10.3"), {"robot-7": risk(0)})
	paint.decision == "deny"
}

test_a_safety_flow_stays_open_whatever_the_risk if {
	d := decided(safety_request, {"robot-7": risk(100)})
	d.decision == "allow"
	d.monitoring == "enhanced"
	"a safety flow: it stays open, whatever the risk" in d.reasons
	failed := decided(patched(safety_request, "/attestation/state", "failed"), {"robot-7": risk(100)})
	failed.decision == "allow"
}

test_a_safety_flow_is_not_open_to_somebody_else if {
	decided(patched(safety_request, "/device/authenticated", false), {"robot-7": risk(0)}).decision == "deny"
	decided(patched(safety_request, "/device/address", "10.4.10.8"), {"robot-7": risk(96)}).decision == "deny"
	decided(patched(safety_request, "/request/port", 22), {"robot-7": risk(0)}).decision == "deny"
}

test_off_hours_are_of_the_plant_and_not_of_utc if {
	late := object.union(
		patched(patched(safety_request, "/request/address", "10.6.0.16"), "/request/transport", "tcp"),
		{"now": "2025-12-16T21:30:00Z"},
	)
	fresh := {"robot-7": object.union(risk(20), {"expires": "2025-12-16T22:00:00Z"})}
	d := decided(patched(late, "/request/resource", "telemetry"), fresh)
	d.request_risk_parts.hours == 15
	early := decided(patched(patched(late, "/now", "2025-12-16T20:30:00Z"), "/request/resource", "telemetry"), fresh)
	not early.request_risk_parts.hours
}
