package hub

import (
	"encoding/json"
	"fmt"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
)

// recordForm is the form of registry records written here.
const recordForm = 1

// interestRecord is what the registry holds of an interest. An empty record
// made by hand is one as well: the short form of a registration.
type interestRecord struct {
	Form   int             `json:"v"`
	ID     string          `json:"id,omitempty"`
	Rev    int             `json:"rev,omitempty"`
	Ops    []string        `json:"ops,omitempty"`
	Filter string          `json:"filter,omitempty"`
	Fields []string        `json:"fields,omitempty"`
	Start  contract.Start  `json:"start,omitempty"`
	Echo   bool            `json:"echo,omitempty"`
	Since  *event.Position `json:"since,omitempty"`
}

// serviceRecord is what the registry holds of a service.
type serviceRecord struct {
	Form     int            `json:"v"`
	Queue    contract.Queue `json:"queue"`
	MaxBytes int64          `json:"max_bytes"`
}

func recordOf(in lane.Interest) interestRecord {
	return interestRecord{
		Form: recordForm, ID: in.ID, Rev: in.Rev, Ops: in.Ops, Filter: in.Filter, Fields: in.Fields,
		Echo: in.Echo, Since: &in.Since,
	}
}

// parseInterestRecord refuses what is no record; newer tells that a higher form
// wrote it.
func parseInterestRecord(data []byte) (r interestRecord, newer bool, err error) {
	data = withoutQuotes(data)
	if isNewerForm(data) {
		return r, true, nil
	}
	if err := decodeRecord(data, &r); err != nil {
		return interestRecord{}, false, err
	}
	return r, false, r.check()
}

// same reports whether the registry says of an interest what the lane does.
func (r interestRecord) same(in lane.Interest) bool {
	return r.ID == in.ID && r.Rev == in.Rev && r.Since != nil && *r.Since == in.Since &&
		(lane.Interest{Entity: in.Entity, Ops: r.Ops, Filter: r.Filter, Fields: r.Fields, Echo: r.Echo}).SameDefinition(in)
}

// request is the registration that a record made by hand stands for.
func (r interestRecord) request(entity string) contract.Register {
	if len(r.Ops) == 0 && r.Filter == "" && len(r.Fields) == 0 && r.Start == "" && !r.Echo {
		return contract.Register{Entities: []string{entity}}
	}
	return contract.Register{Interests: []contract.Interest{{
		Entity: entity, Ops: r.Ops, Filter: r.Filter, Fields: r.Fields, Start: r.Start, Echo: r.Echo,
	}}}
}

func encodeRecord(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode a registry record: %v", err)) // plain data always encodes
	}
	return data
}

// parseServiceRecord refuses what is no record; newer tells that a higher form
// wrote it.
func parseServiceRecord(data []byte) (r serviceRecord, newer bool, err error) {
	data = withoutQuotes(data)
	if isNewerForm(data) {
		return r, true, nil
	}
	if err := decodeRecord(data, &r); err != nil {
		return serviceRecord{}, false, err
	}
	return r, false, r.check()
}

// same reports whether the registry says of a service what the lane does.
func (r serviceRecord) same(s lane.State) bool { return r.Queue == s.Queue && r.MaxBytes == s.MaxBytes }
