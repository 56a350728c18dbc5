package deadletter

import (
	"encoding/json"
	"fmt"
	"slices"
)

// consumerState is what a backup holds of a consumer (nats-server 2.15.2,
// SnapshotConsumerState).
type consumerState struct {
	Delivered struct {
		Stream uint64 `json:"stream_seq"`
	} `json:"delivered"`
	// Pending are the messages that workers hold, Redelivered how often messages
	// were redelivered; both by stream sequence.
	Pending     map[uint64]json.RawMessage `json:"pending"`
	Redelivered map[uint64]uint64          `json:"redelivered"`
}

func decodeConsumerState(data []byte) (*consumerState, error) {
	var entry struct {
		State *consumerState `json:"state"`
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return nil, fmt.Errorf("decode a consumer's state: %w", err)
	}
	if entry.State == nil {
		return nil, fmt.Errorf("decode a consumer's state: %w", errBackup)
	}
	return entry.State, nil
}

// floor is the sequence up to which no worker holds a message. The ack floor
// that the server stores stays behind exhausted messages until none is pending.
func (s *consumerState) floor() uint64 {
	floor := s.Delivered.Stream
	for seq := range s.Pending {
		floor = min(floor, seq-1)
	}
	return floor
}

// exhausted are the messages given up, ascending: a message that is not pending
// keeps its count only if it reached max_deliver.
func (s *consumerState) exhausted() []uint64 {
	var seqs []uint64
	for seq := range s.Redelivered {
		if _, pending := s.Pending[seq]; !pending {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}
