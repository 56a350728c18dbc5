package contract

// VerbRedrive gives dead letters back to their service:
// replhub.redrive.<service>.
const VerbRedrive = "redrive"

// Redrive names the letters to redrive, by their sequences in the stream DLQ,
// or all of the service's.
type Redrive struct {
	Seqs []uint64 `json:"seqs,omitempty"`
	All  bool     `json:"all,omitempty"`
	// After leaves out the letters up to this sequence: the Next of the reply
	// before.
	After uint64 `json:"after,omitempty"`
}

// Redriven is the reply of replhub.redrive.<service>.
type Redriven struct {
	Service string `json:"service"`
	// Redriven is how many events were put into the lane again; their letters
	// are gone from the stream DLQ.
	Redriven int `json:"redriven"`
	// Left are the letters that could not be redriven, and stay.
	Left []RedriveLeft `json:"left,omitempty"`
	// More says that letters remain that this request had no time, or its reply no
	// room, for: send it again with Next as After, which is the sequence of the
	// last letter looked at.
	More bool   `json:"more,omitempty"`
	Next uint64 `json:"next,omitempty"`
}

// RedriveLeft tells why a letter stays.
type RedriveLeft struct {
	Seq     uint64 `json:"seq"`
	Message string `json:"message"`
}
