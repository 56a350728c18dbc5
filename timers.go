package replhub

import "time"

// runTimers triggers the scheduler's timed work and reports reconnects to it, until
// done is closed.
func (d *driver) runTimers(done <-chan struct{}) {
	due := time.NewTimer(0)
	defer due.Stop()
	back := d.s.client.reconnects.next()
	for {
		select {
		case <-done:
			return
		case <-due.C:
		case <-d.rescheduled:
		case <-back:
			back = d.s.client.reconnects.next()
			d.step(func(now time.Time) { d.core.Reconnected(now) })
		}
		if d.s.client.nc.IsClosed() {
			d.stop(ErrClosed)
		}
		var wait time.Duration
		d.step(func(now time.Time) {
			d.core.Tick(now)
			wait = d.core.Next().Sub(now)
		})
		due.Reset(max(wait, time.Millisecond))
	}
}
