package reconnect

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// settle is how long a connection must stand before its trouble counts as over.
const settle = 2 * time.Second

// maxTold bounds the reasons that are logged in one time of trouble.
const maxTold = 8

// Supervisor keeps one connection for good and logs its trouble: when it begins, each
// further reason, and when it is over. It may be used concurrently.
type Supervisor struct {
	log    *slog.Logger
	settle time.Duration
	nc     atomic.Pointer[nats.Conn]

	mu sync.Mutex // guards the rest
	// began is when the trouble began; zero without any. told are the reasons that
	// were told since.
	began    time.Time
	told     map[string]bool
	attempts int
	// ending is set while the connection is back and the trouble not yet over.
	ending *time.Timer
}

// NewSupervisor makes a Supervisor for a connection that is about to be made.
func NewSupervisor(log *slog.Logger) *Supervisor { return &Supervisor{log: log, settle: settle} }

// Option makes a connection come back for ever. It must be the last option: it keeps
// the handlers of errors and the delays of earlier options, and overrides their
// limits on reconnecting.
func (k *Supervisor) Option() nats.Option {
	return func(o *nats.Options) error {
		o.AllowReconnect, o.MaxReconnect, o.IgnoreAuthErrorAbort = true, -1, true
		k.listen(o)
		delay := o.CustomReconnectDelayCB
		if delay == nil {
			delay = delayOf(*o)
		}
		// nats.go tells nobody why an attempt failed after the server was reached: a
		// file that cannot be read, a certificate that has expired. It keeps the error
		// until the next attempt, and calls this before that.
		o.CustomReconnectDelayCB = func(attempts int) time.Duration {
			if nc := k.nc.Load(); nc != nil {
				k.met(nc.LastError())
			}
			return delay(attempts)
		}
		return nil
	}
}

// listen puts the Supervisor before the handlers of an Options.
func (k *Supervisor) listen(o *nats.Options) {
	failed, connected, lost, back, refused := o.AsyncErrorCB, o.ConnectedCB, o.DisconnectedErrCB, o.ReconnectedCB, o.ReconnectErrCB
	o.AsyncErrorCB = func(nc *nats.Conn, sub *nats.Subscription, err error) {
		k.nc.Store(nc)
		switch {
		case Refusal(err), sub == nil && !nc.IsConnected():
			k.met(err) // it comes again at each attempt
		case failed == nil:
			k.warn(sub, err)
		}
		if failed != nil {
			failed(nc, sub, err)
		}
	}
	o.ReconnectErrCB = func(nc *nats.Conn, err error) {
		k.met(err)
		if refused != nil {
			refused(nc, err)
		}
	}
	o.ConnectedCB = func(nc *nats.Conn) {
		k.nc.Store(nc)
		if connected != nil {
			connected(nc)
		}
	}
	o.DisconnectedErrCB = func(nc *nats.Conn, err error) {
		k.nc.Store(nc)
		switch {
		case lost != nil:
			lost(nc, err)
		case o.DisconnectedCB != nil:
			o.DisconnectedCB(nc)
		}
	}
	o.ReconnectedCB = func(nc *nats.Conn) {
		k.connected(nc)
		if back != nil {
			back(nc)
		}
	}
}

// warn logs an objection of the server on a standing connection.
func (k *Supervisor) warn(sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	k.log.Warn("NATS connection", "err", err, "subject", subject)
}

// delayOf is the delay that nats.go has by itself.
func delayOf(o nats.Options) nats.ReconnectDelayHandler {
	jitter := o.ReconnectJitter
	if o.Secure || o.TLSConfig != nil {
		jitter = o.ReconnectJitterTLS
	}
	return func(int) time.Duration {
		if jitter <= 0 {
			return o.ReconnectWait
		}
		return o.ReconnectWait + time.Duration(rand.Int64N(int64(jitter)))
	}
}

// met notes why the connection does not come back, or has gone.
func (k *Supervisor) met(err error) {
	if err == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending != nil {
		k.ending.Stop() // it was not over
		k.ending = nil
	}
	k.attempts++
	if k.began.IsZero() {
		k.began, k.told = time.Now(), make(map[string]bool)
	}
	reason := kindOf(err)
	if k.told[reason] || len(k.told) == maxTold {
		return
	}
	k.told[reason] = true
	k.log.Warn("no connection to NATS; connecting again until it succeeds", "err", err, "do", advice(err))
}

// connected notes that the connection is back. The trouble is over when that stays
// so: a server may take a user in the second in which its JWT expires, again and
// again.
func (k *Supervisor) connected(nc *nats.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.began.IsZero() {
		return
	}
	if k.ending != nil {
		k.ending.Stop()
	}
	var timer *time.Timer
	back := time.Now()
	timer = time.AfterFunc(k.settle, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.ending != timer || !nc.IsConnected() {
			return
		}
		k.log.Info("connected to NATS again", "after", back.Sub(k.began).Round(time.Millisecond).String(), "failures", k.attempts)
		k.began, k.told, k.attempts, k.ending = time.Time{}, nil, 0, nil
	})
	k.ending = timer
}
