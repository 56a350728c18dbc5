package consumers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/lanes"
	"github.com/replhub/replhub/subjects"
)

// stands are the consumers of one lane, by name, and when they were last looked at.
type stands struct {
	looked time.Time
	of     map[string]*still
	texts  map[string]string // describes the stuck ones
}

// stand looks for stuck consumers of a lane that lacks none.
func (w *Watch) stand(ctx context.Context, l *lane.Lane, stream jetstream.Stream) {
	service := l.Service()
	s := w.stands[service]
	if s == nil {
		s = &stands{of: make(map[string]*still), texts: make(map[string]string)}
		w.stands[service] = s
	}
	if time.Since(s.looked) < w.cfg.StuckAfter/looksPerVerdict {
		return
	}
	s.looked = time.Now()
	infos, err := lane.ListWorkers(ctx, stream)
	if err != nil {
		w.cfg.Logger.Debug("look at where consumers stand", "service", service.String(), "err", err)
		return
	}
	if w.cfg.Stood != nil {
		w.cfg.Stood(l, infos)
	}
	for _, name := range lane.Consumers(l.Status().State.Queue) {
		if info := infos[name]; info != nil { // the leader of one that is not listed did not answer
			w.standOf(ctx, l, stream, s, info)
		}
	}
	w.tell(service, s)
}

// standOf looks at one consumer, and creates it again if it is stuck.
func (w *Watch) standOf(ctx context.Context, l *lane.Lane, stream jetstream.Stream, s *stands, info *jetstream.ConsumerInfo) {
	one := s.of[info.Name]
	if one == nil {
		one = new(still)
		s.of[info.Name] = one
	}
	if w.foreign(ctx, l, stream, one, info) {
		return
	}
	found := one.look(sightOf(info, l.Status().Last), time.Now(), w.cfg.StuckAfter)
	if found == doubtful || found == lost {
		due, err := lane.Due(ctx, stream, info)
		if err != nil {
			w.cfg.Logger.Debug("look for a copy that is due", "service", l.Service().String(), "consumer", info.Name, "err", err)
			return
		}
		if one.due(due); !due {
			found = works
		}
	}
	if found == stuck || found == lost {
		s.texts[info.Name] = stuckText(info, w.cfg.StuckAfter)
		w.tell(l.Service(), s) // before the consumer is created again, which takes a moment
	}
	if found == lost {
		w.replaceStuck(ctx, l, info)
	}
	if one.over(w.cfg.StuckAfter) {
		delete(s.texts, info.Name)
	}
}

// foreign creates a consumer again that two looks found to be of another rewind or lane,
// and reports whether one is.
func (w *Watch) foreign(ctx context.Context, l *lane.Lane, stream jetstream.Stream, one *still, info *jetstream.ConsumerInfo) bool {
	is, err := lane.Foreign(ctx, stream, l.Status().State, info)
	if is && one.foreign.Equal(info.Created) { // what this hub knows of the lane may be old
		var state lane.State
		if state, err = w.cfg.Lanes.State(ctx, l.Service()); err == nil {
			is, err = lane.Foreign(ctx, stream, state, info)
		}
		is = is && err == nil
	}
	if err != nil {
		w.cfg.Logger.Debug("look whose a consumer is", "service", l.Service().String(), "consumer", info.Name, "err", err)
	}
	before := one.foreign
	if !is {
		one.foreign = time.Time{}
		return false
	}
	if one.foreign = info.Created; !before.Equal(info.Created) {
		return true
	}
	if w.replace(ctx, l, info) {
		w.cfg.Logger.Error("a consumer was of an earlier rewind or lane and is created again where the last one begins: what was acknowledged since may be delivered again",
			"service", l.Service().String(), "consumer", info.Name)
	}
	return true
}

// replace creates a consumer again, and reports whether it did.
func (w *Watch) replace(ctx context.Context, l *lane.Lane, info *jetstream.ConsumerInfo) bool {
	state, err := l.RemoveConsumer(ctx, info)
	if err == nil {
		_, err = w.Ensure(ctx, l.Service(), state)
	}
	if err != nil {
		w.cfg.Logger.Warn("create a consumer again; trying again", "service", l.Service().String(), "consumer", info.Name, "err", err)
	}
	return err == nil
}

// replaceStuck creates a stuck consumer again.
func (w *Watch) replaceStuck(ctx context.Context, l *lane.Lane, info *jetstream.ConsumerInfo) {
	if !w.replace(ctx, l, info) {
		return
	}
	w.cfg.Logger.Error("a consumer was stuck and is created again: the server delivered nothing although copies were due and requests waited; copies that are not acknowledged are delivered again",
		"service", l.Service().String(), "consumer", info.Name, "for", w.cfg.StuckAfter, "pending", info.NumPending, "waiting", info.NumWaiting, "held", info.NumAckPending)
}

// tell names the stuck consumers of a lane in degraded.
func (w *Watch) tell(service subjects.Name, s *stands) {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(s.texts)) {
		texts = append(texts, s.texts[name])
	}
	if texts == nil {
		w.cfg.Lacking.Clear(service, lanes.Deliveries)
		return
	}
	w.cfg.Lacking.Set(service, lanes.Deliveries, fmt.Sprintf("lane %s: %s", service, strings.Join(texts, "; ")))
}

// stuckText describes a stuck consumer.
func stuckText(info *jetstream.ConsumerInfo, after time.Duration) string {
	return fmt.Sprintf("consumer %s is stuck: nothing was delivered for %s, although %d copies are pending and %d requests wait; the hub creates it again behind the copies that are acknowledged",
		info.Name, after, info.NumPending, info.NumWaiting)
}
