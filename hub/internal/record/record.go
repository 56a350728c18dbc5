// Package record is the registry as the hubs use it: the places and the content of
// its records, and writing them. Reading and checking a record is pure; Book reads
// and writes the registry. The lanes' own state records, not this package, decide
// what is in force.
package record

import (
	"encoding/json"
	"fmt"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// current is the form of registry records written here.
const current = 1

// Interest is the registry's record of an interest. An empty record made by hand is
// the short form of a registration.
type Interest struct {
	Form int    `json:"v"`
	ID   string `json:"id,omitempty"`
	Rev  int    `json:"rev,omitempty"`

	contract.Definition

	Start contract.Start  `json:"start,omitempty"`
	Since *event.Position `json:"since,omitempty"`
}

// Service is the registry's record of a service.
type Service struct {
	Form     int            `json:"v"`
	Queue    contract.Queue `json:"queue"`
	MaxBytes int64          `json:"max_bytes"`
}

// Requests reports whether a record requests an interest: a hub writes the since once the
// interest is in force. Such a record has an id if a hub has begun to register it.
func (r Interest) Requests() bool { return r.Since == nil }

// Claimed returns the record of a request with an id.
func (r Interest) Claimed(id string) Interest {
	r.Form, r.ID = current, id
	return r
}

// Of is the record of an interest that is in force.
func Of(in lane.Interest) Interest {
	return Interest{Form: current, ID: in.ID, Rev: in.Rev, Definition: in.Definition, Since: &in.Since}
}

// OfService is the record of a service whose lane has a state.
func OfService(s lane.State) Service {
	return Service{Form: current, Queue: s.Queue, MaxBytes: s.MaxBytes}
}

// ParseInterest refuses what is no record; newer tells that a higher form
// wrote it.
func ParseInterest(data []byte) (r Interest, newer bool, err error) {
	data = withoutQuotes(data)
	if IsNewer(data) {
		return r, true, nil
	}
	if err := decode(data, &r); err != nil {
		return Interest{}, false, err
	}
	return r, false, r.check()
}

// Same reports whether the registry says of an interest what the lane does.
func (r Interest) Same(in lane.Interest) bool {
	return r.ID == in.ID && r.Rev == in.Rev && r.Since != nil && *r.Since == in.Since && r.Equal(in.Definition)
}

// Request is the registration that a record made by hand requests.
func (r Interest) Request(entity string) contract.Register {
	if r.IsZero() && r.Start == "" {
		return contract.Register{Entities: []string{entity}}
	}
	return contract.Register{Interests: []contract.Interest{{Entity: entity, Definition: r.Definition, Start: r.Start}}}
}

// Encode is the JSON of a record.
func Encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode a registry record: %v", err)) // plain data always encodes
	}
	return data
}

// ParseService refuses what is no record; newer tells that a higher form
// wrote it.
func ParseService(data []byte) (r Service, newer bool, err error) {
	data = withoutQuotes(data)
	if IsNewer(data) {
		return r, true, nil
	}
	if err := decode(data, &r); err != nil {
		return Service{}, false, err
	}
	return r, false, r.check()
}

// Same reports whether the registry says of a service what the lane does.
func (r Service) Same(s lane.State) bool { return r.Queue == s.Queue && r.MaxBytes == s.MaxBytes }
