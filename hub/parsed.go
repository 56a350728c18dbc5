package hub

import (
	"bytes"

	"github.com/replhub/replhub/internal/tree"
)

// parsedRecords keep what the interests' records say, by their paths: every look
// goes over all records, and hardly one has changed since the last.
type parsedRecords map[string]parsedRecord

type parsedRecord struct {
	value  []byte
	record interestRecord
	newer  bool
	err    error
}

// parse is parseInterestRecord.
func (p parsedRecords) parse(path string, value []byte) (interestRecord, bool, error) {
	have, ok := p[path]
	if !ok || !bytes.Equal(have.value, value) {
		have = parsedRecord{value: value}
		have.record, have.newer, have.err = parseInterestRecord(value)
		p[path] = have
	}
	return have.record, have.newer, have.err
}

// keep forgets the records that are gone.
func (p parsedRecords) keep(entries map[string]tree.Entry) {
	if len(p) <= len(entries) {
		return
	}
	for path := range p {
		if _, there := entries[path]; !there {
			delete(p, path)
		}
	}
}
