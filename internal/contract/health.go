package contract

// Health is the body of /readyz.
type Health struct {
	Hub string `json:"hub"`
	// Ready is whether this hub can dispatch.
	Ready bool `json:"ready"`
	// Reason is why it is not ready.
	Reason string `json:"reason,omitempty"`
	// Degraded is what does not work as it should, though events flow.
	Degraded []string `json:"degraded"`
}
