package letters

import (
	"encoding/json"
	"fmt"
	"slices"
)

// consumerState is what a backup holds of a consumer (nats-server 2.15.2,
// SnapshotConsumerState).
type consumerState struct {
	Name     string `json:"name"`
	Durable  string `json:"durable_name"`
	AckFloor struct {
		Stream uint64 `json:"stream_seq"`
	} `json:"ack_floor"`
	// Pending are the messages that workers hold, Redelivered how often messages
	// were redelivered; both by stream sequence.
	Pending     map[uint64]json.RawMessage `json:"pending"`
	Redelivered map[uint64]uint64          `json:"redelivered"`
}

func decodeConsumerState(data []byte) (*consumerState, error) {
	var s consumerState
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("decode a consumer's state: %w", err)
	}
	return &s, nil
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
