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
	// Left are the letters that could not be redriven, and stay.
	Left []RedriveLeft `json:"left,omitempty"`
	// More says that letters remain that this request had no time for; send it
	// again.
	More bool `json:"more,omitempty"`
}

// RedriveLeft tells why a letter stays.
type RedriveLeft struct {
	Seq     uint64 `json:"seq"`
	Message string `json:"message"`
}
