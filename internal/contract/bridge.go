package contract

// A bridge is a long-running command that joins replhub with what has no code of its
// own for it: capture, apply and push.

// BridgeHealth is the body of a bridge's /readyz, in the form of Health.
type BridgeHealth struct {
	// Command is which bridge it is: capture, apply or push.
	Command string `json:"command"`
	Service string `json:"service"`
	// Ready is whether events flow, or would if there were some.
	Ready bool `json:"ready"`
	// Reason is why it is not ready: one of the NotReady constants.
	Reason NotReady `json:"reason,omitempty"`
	// Degraded is what does not work as it should and mends without a restart.
	Degraded []string `json:"degraded"`
}

// NotReady is why a bridge is not ready.
type NotReady string

// The reasons of a bridge that is not ready.
const (
	NotReadyStarting NotReady = "starting"         // not connected, or not registered yet
	NotReadyStopping NotReady = "stopping"         // it was told to end
	NotReadyStandby  NotReady = "standby"          // another process does the work, and this one waits to take over
	NotReadyNATS     NotReady = "nats_unreachable" // no connection to NATS
)
