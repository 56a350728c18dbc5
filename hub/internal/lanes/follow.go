package lanes

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/subjects"
)

const (
	// changedSubject tells every hub that a service's lane was created or changed.
	changedSubject = "replhub._changed"
	// membersEvery is how often a hub looks whether the others are there.
	membersEvery = time.Second
	// membersPause gathers changes of the registry that come together.
	membersPause = 100 * time.Millisecond
	// maxNews bounds the lanes that were announced and not taken up yet.
	maxNews = 256
	// settleTrouble is how long finding lanes must succeed before trouble with it
	// counts as over.
	settleTrouble = 5 * time.Second
)

// Announce tells other hubs that a lane was created or changed.
func (s *Set) Announce(service subjects.Name) {
	if err := s.cfg.Conn.Publish(changedSubject, []byte(service.String())); err != nil {
		s.cfg.Logger.Debug("announce a change", "err", err) // other hubs also look by themselves
	}
}

// Follow follows the live hubs and the lanes that they create, until ctx ends. So
// this hub knows every lane, and each lane's owner copies into it.
func (s *Set) Follow(ctx context.Context) error {
	news := make(chan subjects.Name, maxNews)
	sub, err := s.cfg.Conn.Subscribe(changedSubject, func(m *nats.Msg) { s.hear(string(m.Data), news) })
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	trouble := episode.NewLog(s.cfg.Logger, "look for lanes", settleTrouble)
	look := time.NewTicker(findEvery)
	defer look.Stop()
	members := time.NewTicker(membersEvery)
	defer members.Stop()
	var changed <-chan struct{}
	var connection uint64
	for owners := true; ; {
		if owners {
			changed = s.cfg.Hubs.Changed()
			s.cfg.Hubs.Refresh(ctx, s.services())
			s.assign()
			connection = s.recheck(connection)
		}
		owners = true
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			// A registration changes the registry too, and this goes over all of it.
			if err := retry.Sleep(ctx, membersPause); err != nil {
				return nil
			}
		case <-members.C:
		case <-s.cfg.Hubs.Lent():
			s.assign()
			owners = false
		case service := <-news:
			if s.mayBeLane(ctx, service) {
				s.Add(service)
			}
			owners = false
		case <-look.C:
			if err := s.find(ctx); ctx.Err() == nil {
				trouble.Met(err)
			}
		}
	}
}

// services are those of all known lanes.
func (s *Set) services() []subjects.Name {
	all := s.All()
	list := make([]subjects.Name, len(all))
	for i, l := range all {
		list[i] = l.Service()
	}
	return list
}

// assign makes this hub copy into the lanes that it owns, and into no others.
func (s *Set) assign() {
	for _, l := range s.All() {
		l.Own(s.cfg.Hubs.Owns(l.Service()))
	}
}

// recheck has the lanes that this hub owns read again if the connection was lost since the
// given number of reconnects: the server may have begun with older copies of their streams.
// A lane that another hub owns is read when this hub next has work with it. recheck returns
// the present number of reconnects.
func (s *Set) recheck(connection uint64) uint64 {
	now := s.cfg.Conn.Stats().Reconnects
	for _, l := range s.All() {
		if now != connection && l.Owned() {
			l.Recheck()
		}
	}
	return now
}

// find takes up the lanes that other hubs created without their notice having
// arrived.
func (s *Set) find(ctx context.Context) error {
	found, err := s.List(ctx)
	if err != nil {
		return fmt.Errorf("list lanes: %w", err)
	}
	for _, service := range found {
		s.Add(service)
	}
	return nil
}

// hear notes that a lane was created or changed. A lane that another hub may have
// changed or dropped is read again. The lane's owner needs no notice, since its next
// append shows the change.
func (s *Set) hear(name string, news chan<- subjects.Name) {
	service, err := subjects.ParseName(name)
	if err != nil {
		return
	}
	if l := s.Get(service); l != nil {
		l.Recheck()
		return
	}
	select {
	case news <- service:
	default: // the periodic look finds the lane
	}
}
