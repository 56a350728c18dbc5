package contract

import "time"

// SubjectUnavailable precedes a service's name where its instances tell the hubs
// that something which their handlers need is away, their database for one:
// "replhub._unavailable.sharing", when it begins, every second, and at its end.
// Nobody answers.
const SubjectUnavailable = "replhub._unavailable."

// MaxUnavailableError bounds an error in Unavailable, in bytes.
const MaxUnavailableError = 256

// Unavailable is such a word, and what describe tells of it.
type Unavailable struct {
	Instance string `json:"instance"`
	// Since is when it began, by the instance's clock.
	Since time.Time `json:"since"`
	// Attempts is how many have met it.
	Attempts int `json:"attempts"`
	// Error is what the last one was answered.
	Error string `json:"error"`
	// Over says that the instance goes on.
	Over bool `json:"over,omitempty"`
}
