package record

// Resumed is where a consumer goes on that a hub replaces: every copy before From is
// acknowledged, or its dead letter is stored. It is written before the old consumer is
// removed, so that whichever hub creates the new one knows the place; immutable.
type Resumed struct {
	Consumer string `json:"consumer"`
	// From is the lane's sequence of the first copy that is due.
	From uint64 `json:"from"`
	// Generation is that of the consumer. The place says nothing about another rewind,
	// queue or lane.
	Generation string `json:"generation"`
}

// ResumedFrom is the sequence from which a consumer of a generation goes on; 0 when
// none is recorded.
func (s State) ResumedFrom(consumer, generation string) uint64 {
	if r := s.Resumed; r != nil && r.Consumer == consumer && r.Generation == generation {
		return r.From
	}
	return 0
}
