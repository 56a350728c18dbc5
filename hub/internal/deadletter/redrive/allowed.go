package redrive

import (
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Held is the copy that a letter holds. It was made before, and the policy of its entity
// may allow less since.
type Held struct {
	Service, Entity subjects.Name
	Op              subjects.Op
	Time            time.Time
	Header          map[string][]string
	Data            []byte
}

// Allowed decides as what a letter's copy may come back under a policy. Whole is the
// letter's event, nil if ingest does not hold it: the letter may lack members that the
// policy's filter reads. judged is the event that was judged; nil where the policy allows
// none of the fields that the letter has.
func Allowed(p *record.Policy, h Held, whole *event.Event) (d match.Decision, judged *event.Event, err error) {
	if p == nil {
		return match.Decision{Kind: match.Copy, Data: h.Data}, nil, nil
	}
	all := make([]string, 0, len(subjects.Ops()))
	for _, op := range subjects.Ops() {
		all = append(all, op.String())
	}
	under := record.Interest{ID: "letter", Entity: h.Entity.String(), Definition: contract.Definition{Ops: all, Echo: true}, Policy: p}
	if p.Grant.Filter != "" && whole != nil {
		d, err := judge(under, h.Service, whole)
		if err != nil || d.Kind != match.Copy {
			return d, whole, err
		}
		if d.Bare || len(d.Data) == 0 { // a delete that the filter does not pass
			return d, whole, nil
		}
		unfiltered := *p
		unfiltered.Grant.Filter = ""
		under.Policy = &unfiltered
	}
	e, err := event.Decode(event.Position{}, h.Time, subjects.NewEvent(h.Entity, h.Op).String(), h.Header, h.Data)
	if err != nil {
		return match.Decision{}, nil, err
	}
	d, err = judge(under, h.Service, e)
	if err != nil || d.Kind != match.Copy {
		return d, e, err
	}
	if h.Op != subjects.Delete && string(d.Data) == "{}" && string(h.Data) != "{}" {
		return match.Decision{}, nil, nil // an empty row would blank a replica's
	}
	return d, e, nil
}

func judge(in record.Interest, service subjects.Name, e *event.Event) (match.Decision, error) {
	compiled, err := in.Compile()
	if err != nil {
		return match.Decision{}, err
	}
	return match.New(service, 1, []*match.Interest{compiled}).Expand(e), nil
}
