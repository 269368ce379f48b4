# A first decision on Andon's risk, for whoever asks on behalf of a device.
#
# The question is a record of `andon.risk.v1`, or what `GET /v1/risk/{device}` answers:
#
#   POST /v1/data/andon/decision   {"input": {"risk": {"device_id": "...", "band": "low", ...}}}
#
# The full set of policies comes with the decision plane; this one only reads the band.
package andon

# What is not known to be well is not let in: no record, a band of `unknown`, a band that is new.
default allow := false

allow if input.risk.band in {"low", "medium"}

reasons contains "no risk is known for this device" if not input.risk.band

reasons contains sprintf("the risk of %s is %s", [device, input.risk.band]) if {
	input.risk.band
	not allow
}

device := object.get(input.risk, "device_id", "this device")

decision := {"allow": allow, "reasons": reasons}
