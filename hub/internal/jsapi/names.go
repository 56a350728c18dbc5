package jsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/jsapi"
)

// page is one answer to STREAM.NAMES or CONSUMER.NAMES. The server sorts the
// names, of which one kind is there.
type page struct {
	Total     int                 `json:"total"`
	Streams   []string            `json:"streams"`
	Consumers []string            `json:"consumers"`
	Error     *jetstream.APIError `json:"error"`
}

func (p page) names() []string { return append(p.Streams, p.Consumers...) }

// maxListings bounds how often a list is begun again. One attempt fails only
// where a name comes or goes within the milliseconds that it takes.
const maxListings = 20

var errShifted = errors.New("names came and went while they were listed; try again")

// StreamNames returns the names of all streams whose subjects overlap a subject,
// sorted. The names come from the leader of the meta layer, which knows every
// stream, whether or not the stream has a leader. STREAM.LIST, in contrast, leaves
// out streams whose leader does not answer.
//
// The list is complete: pages overlap by one name, and a list that shifted from
// one page to the next is begun again.
func StreamNames(ctx context.Context, js jetstream.JetStream, subject string) ([]string, error) {
	names, err := collect(func(offset int) (page, error) {
		return readPage(ctx, js, "STREAM.NAMES", map[string]any{"offset": offset, "subject": subject})
	})
	if err != nil {
		return nil, fmt.Errorf("list the streams of %s: %w", subject, err)
	}
	return names, nil
}

// ConsumerNames returns the names of all consumers of a stream, sorted. Like
// StreamNames it is complete: CONSUMER.LIST leaves out consumers whose leader does
// not answer. A stream that does not exist is jetstream.ErrStreamNotFound.
func ConsumerNames(ctx context.Context, js jetstream.JetStream, stream string) ([]string, error) {
	names, err := collect(func(offset int) (page, error) {
		return readPage(ctx, js, "CONSUMER.NAMES."+stream, map[string]any{"offset": offset})
	})
	if err != nil {
		return nil, fmt.Errorf("list the consumers of %s: %w", stream, err)
	}
	return names, nil
}

func readPage(ctx context.Context, js jetstream.JetStream, api string, request map[string]any) (page, error) {
	data, err := json.Marshal(request)
	if err != nil {
		return page{}, err
	}
	return retry.Read(ctx, func(ctx context.Context) (page, error) {
		var p page
		answer, err := js.Conn().RequestWithContext(ctx, jsapi.Prefix(js.Options())+api, data)
		if err != nil {
			return p, err
		}
		if err := json.Unmarshal(answer.Data, &p); err != nil {
			return p, fmt.Errorf("decode the answer of %s: %w", api, err)
		}
		switch {
		case p.Error == nil:
			return p, nil
		case p.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
			return p, jetstream.ErrStreamNotFound
		}
		return p, p.Error
	})
}

// collect reads all pages of a list. read returns the page at an offset.
func collect(read func(offset int) (page, error)) ([]string, error) {
	for range maxListings {
		names, whole, err := collectOnce(read)
		if err != nil || whole {
			return names, err
		}
	}
	return nil, errShifted
}

// collectOnce reads all pages, each from the last name of the page before. whole
// is false when that name has moved: a name may then have slipped from one page
// to the other unseen.
func collectOnce(read func(offset int) (page, error)) (names []string, whole bool, err error) {
	for {
		offset := max(len(names)-1, 0)
		p, err := read(offset)
		if err != nil {
			return nil, false, err
		}
		next := p.names()
		if offset < len(names) {
			if len(next) == 0 || next[0] != names[offset] {
				return nil, false, nil
			}
			next = next[1:]
		}
		names = append(names, next...)
		if len(names) >= p.Total {
			return names, true, nil
		}
		if len(next) == 0 {
			return nil, false, nil // an empty page before the end
		}
	}
}
