package contract

import "time"

// VerbLetter asks whether an instance of a service may store a dead letter:
// replhub.letter.<service>. The refusal has the code limit when the service has
// reached its quota, and not_found when the event's lane is no more. An instance that gets
// no answer stores it.
const VerbLetter = "letter"

// Letter is the request.
type Letter struct {
	// Bytes is the size of the letter, headers included.
	Bytes int `json:"bytes"`
	// Consumer is when the consumer was created that delivered the event.
	Consumer *time.Time `json:"consumer,omitempty"`
}

// LetterAdmitted is the reply.
type LetterAdmitted struct {
	Service string `json:"service"`
}
