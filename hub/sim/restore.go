package sim

import (
	"maps"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/sim/model"
)

// laneCopy is a copy of the directory of a lane's stream, and what the judge knew of the
// lane when it was made.
type laneCopy struct {
	stream *model.Stream
	judged laneJudged
}

// restartTime is how long a server of a cluster needs at least to begin with another copy
// of its store. core.Lane relies on it (core/confirm.go).
const restartTime = 5 * time.Second

func (w *World) copyLane(text string) {
	if l := w.lanes[text]; l != nil && l.Info().Last > 0 && w.registered(w.services[w.service(text)]) {
		w.copies[text] = laneCopy{l.Copy(), w.judge.keep(text)}
	}
}

// restoreLane has the lane's server begin with the copy. Requests that are on their way
// to the server are lost. A hub that is connected to the server loses its connection. A
// hub that is connected to another server of the cluster notices nothing.
//
// A trim of ingest that is under way by then is not simulated: it may remove events that
// the lane needs again. Neither are workers that still hold copies: their acknowledgements
// name sequences, under which the lane may soon hold other copies.
func (w *World) restoreLane(text string, clustered bool) {
	c, there := w.copies[text]
	if !there || w.hubs[0].trimming || w.hubs[1].trimming {
		return
	}
	w.loseCalls(text)
	w.dieWorkers(text)
	delete(w.lagging, text)
	w.lanes[text] = c.stream.Begin(w.now)
	w.judge.wentBack(text, c.judged)
	w.judge.wentBackAt[text] = w.now
	if clustered {
		w.now = w.now.Add(restartTime)
		w.leads[text] = w.now
		return
	}
	w.restart()
	for _, h := range w.hubs {
		h.connection++
	}
}

// loseCalls loses the requests that are on their way to a stream's server.
func (w *network) loseCalls(stream string) {
	for _, c := range append([]*call(nil), w.calls...) {
		switch {
		case c.stream != stream || c.serve == nil:
		case c.batch != nil:
			c.batch.gone, c.batch.queue = true, nil
		case c.then == nil:
			w.drop(c)
		default:
			c.serve, c.err = nil, errLost
		}
	}
}

// dieWorkers ends the workers and the instances of a service.
func (w *World) dieWorkers(text string) {
	for _, c := range append([]*call(nil), w.calls...) {
		if c.from.name == "w/"+text {
			w.end(c.from)
		}
	}
	for _, i := range w.members {
		if i.service.text == text && i.alive {
			i.kill(true)
		}
	}
}

// laneJudged is what the judge knows of a lane's content.
type laneJudged struct {
	state  record.State
	copied map[copyOf]bool
	last   map[string]int
}

// keep returns what the judge knows of a lane.
func (j *judge) keep(lane string) laneJudged {
	k := laneJudged{state: j.states[lane], copied: make(map[copyOf]bool), last: make(map[string]int)}
	for key := range j.copied {
		if j.laneOf[key.of] == lane {
			k.copied[key] = true
		}
	}
	for id, last := range j.last {
		if j.laneOf[id] == lane {
			k.last[id] = last
		}
	}
	return k
}

// wentBack notes that a lane is again as it was: what came into it since is lost. The
// events are due again, to the interests that the lane has by then. Registrations that
// came since are lost.
func (j *judge) wentBack(lane string, k laneJudged) {
	inForce := func(id string) bool {
		for _, in := range k.state.Interests {
			if in.ID == id {
				return true
			}
		}
		return false
	}
	for _, in := range j.states[lane].Interests {
		j.lost[in.ID] = j.lost[in.ID] || !inForce(in.ID)
	}
	for _, a := range j.answers {
		j.lost[a.id] = j.lost[a.id] || a.service == lane && !inForce(a.id)
	}
	for _, in := range k.state.Interests {
		delete(j.over, in.ID)
	}
	maps.DeleteFunc(j.copied, func(key copyOf, _ bool) bool { return j.laneOf[key.of] == lane && !k.copied[key] })
	maps.DeleteFunc(j.last, func(id string, _ int) bool { return j.laneOf[id] == lane })
	maps.Copy(j.last, k.last)
	j.states[lane] = k.state
	j.forget(lane)
}

// forget forgets the copies that a lane has lost.
func (j *judge) forget(lane string) {
	service, last := j.w.service(lane), uint64(0)
	if l := j.w.lanes[lane]; l != nil {
		last = l.Info().Last
	}
	for r, line := range j.lines {
		if r.service != service {
			continue
		}
		for len(line) > 0 && line[len(line)-1] > last {
			line = line[:len(line)-1]
		}
		j.lines[r] = line
	}
	// A letter may come back again: nobody knows any more that its event was in the lane.
	delete(j.back, lane)
	maps.DeleteFunc(j.again, func(c copyIn, _ bool) bool { return c.service == service })
	j.rewinds[lane] = ""
	if r := j.states[lane].Rewound; r != nil {
		j.rewinds[lane] = r.ID
	}
	maps.DeleteFunc(j.cameBackAt, func(c copyIn, _ *stored) bool { return c.service == service && c.seq > last })
	maps.DeleteFunc(j.settled, func(c copyIn, _ bool) bool { return c.service == service && c.seq > last })
	j.older[lane] = true
}
