package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// VerbLend is the request by which a hub tells each other hub about once a second
	// which of its lanes it lends to whom. A hub that is older than this verb refuses it.
	VerbLend = "lend"

	// defaultSilence is how long a hub may leave requests unanswered before it counts as
	// gone: with a call of Refresh each second, three requests. A lane of a frozen hub
	// stands for a second more at most. A hub that counts as gone by mistake goes on to copy, and the
	// sequences that appends state keep the lane consistent.
	defaultSilence = 2500 * time.Millisecond
	// loanTime is how long a loan holds that its lender does not repeat. It is longer than
	// defaultSilence, so that the lender has taken the lane back before.
	loanTime = 5 * time.Second
	// maxLoans bounds the lanes that a hub lends, and so the size of a request.
	maxLoans = 1000
)

// lending is the body of a request VerbLend.
type lending struct {
	From  string              `json:"from"`
	Lends map[string][]string `json:"lends,omitempty"` // by borrower
}

// lent is the answer: the receiver goes by the request.
type lent struct {
	Accepted bool `json:"accepted"`
}

// peer is what this hub knows of another hub.
type peer struct {
	silentSince time.Time // of the first request that was not answered; zero after an answer
	lends       loans     // what it said last
	saidAt      time.Time // when
	accepted    loans     // what it accepted last of this hub's loans
	older       bool      // it does not know of loans
}

// answer is what became of a request to a peer.
type answer int

const (
	accepted answer = iota // the hub is there, and goes by the loans
	refused                // the hub is there, and does not know of loans
	silent                 // nothing came within answerTime
	gone                   // nobody listens
	unclear                // this hub's own connection was lost
)

// parse returns the loans of a request.
func (l lending) parse() (loans, error) {
	all := make(loans)
	for to, names := range l.Lends {
		for _, text := range names {
			service, err := subjects.ParseName(text)
			if err != nil {
				return nil, err
			}
			all[service] = to
		}
	}
	return all, nil
}

// request is the request that announces loans.
func request(from string, all loans) []byte {
	body := lending{From: from, Lends: make(map[string][]string)}
	for service, to := range all {
		body.Lends[to] = append(body.Lends[to], service.String())
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil // cannot happen: strings
	}
	return data
}

// Hear takes what another hub says that it lends, and returns the answer.
func (h *Hubs) Hear(data []byte) (any, error) {
	var said lending
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, contract.Errorf(contract.CodeInvalidValue, "what a hub lends: %v", err)
	}
	all, err := said.parse()
	if err != nil {
		return nil, contract.Errorf(contract.CodeInvalidValue, "what a hub lends: %v", err)
	}
	if said.From == h.cfg.ID {
		return lent{}, nil
	}
	h.mu.Lock()
	p := h.peer(said.From)
	changed := !maps.Equal(p.lends, all)
	p.lends, p.saidAt = all, time.Now()
	h.settle(h.view.Load().members, p.saidAt)
	h.mu.Unlock()
	if changed {
		select {
		case h.lent <- struct{}{}:
		default:
		}
	}
	return lent{Accepted: true}, nil
}

// Lent has a token when the lanes that another hub lends have changed.
func (h *Hubs) Lent() <-chan struct{} { return h.lent }

// announce tells hubs what this hub lends, all at once, and notes their answers.
func (h *Hubs) announce(ctx context.Context, ids []string, all loans) {
	data := request(h.cfg.ID, all)
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			began := time.Now()
			got := h.tell(ctx, id, data)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.note(id, got, began, all)
		})
	}
	wg.Wait()
}

// tell sends a request VerbLend to a hub.
func (h *Hubs) tell(ctx context.Context, id string, data []byte) answer {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m, err := h.cfg.Conn.RequestWithContext(ctx, toHub+id+"."+VerbLend+"."+noService, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return gone
	case err != nil && h.cfg.Conn.IsConnected():
		return silent
	case err != nil:
		return unclear
	case m.Header.Get(micro.ErrorCodeHeader) != "":
		return refused
	}
	return accepted
}

// note takes the answer of a hub to a request with loans, sent at a time. Call it with mu
// held.
func (h *Hubs) note(id string, got answer, sent time.Time, all loans) {
	p := h.peer(id)
	switch got {
	case accepted:
		p.silentSince, p.accepted, p.older = time.Time{}, all, false
	case refused:
		p.silentSince, p.accepted, p.older = time.Time{}, nil, true
	case silent:
		if p.silentSince.IsZero() {
			p.silentSince = sent
		}
	case gone:
		delete(h.peers, id)
	case unclear:
		p.silentSince = time.Time{}
	}
}

// peer returns what is known of a hub. Call it with mu held.
func (h *Hubs) peer(id string) *peer {
	if h.peers[id] == nil {
		h.peers[id] = new(peer)
	}
	return h.peers[id]
}

// settle computes which lanes are lent now among these members, as this hub sees it. Call
// it with mu held.
func (h *Hubs) settle(members []string, now time.Time) {
	all := make(loans)
	for service, to := range h.mine {
		if h.agreed(service, to, members) {
			all[service] = to
		}
	}
	for id, p := range h.peers {
		if now.Sub(p.saidAt) > loanTime {
			continue
		}
		for service, to := range p.lends {
			// The borrower copies whatever members it knows, because the lender has stopped.
			known := contains(members, id) && contains(members, to) && ownerOf(service, members) == id
			if known || to == h.cfg.ID {
				all[service] = to
			}
		}
	}
	h.view.Store(&view{members, all})
}

// agreed reports whether every other member has accepted that this hub lends a lane.
func (h *Hubs) agreed(service subjects.Name, to string, members []string) bool {
	for _, id := range members {
		if id == h.cfg.ID {
			continue
		}
		if p := h.peers[id]; p == nil || p.accepted[service] != to {
			return false
		}
	}
	return contains(members, to)
}
