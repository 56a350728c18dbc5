package wire

// VerbRedrive gives dead letters back to their service:
// replhub.redrive.<service>.
const VerbRedrive = "redrive"

// Redrive names the letters to redrive, by their sequences in the stream DLQ,
// or all of the service's.
type Redrive struct {
	Seqs []uint64 `json:"seqs,omitempty"`
	All  bool     `json:"all,omitempty"`
}

// Redriven is the reply of replhub.redrive.<service>.
type Redriven struct {
	Service string `json:"service"`
	// Redriven is how many events were put into the lane again; their letters
	// are gone from the stream DLQ.
	Redriven int `json:"redriven"`
}
