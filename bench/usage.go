package main

import "time"

// usage is what a process has taken: processor time of all its threads, and the
// most memory that was resident at a time, in bytes.
type usage struct {
	CPU  time.Duration
	Peak int64
}

// meter measures a process from a moment on.
type meter struct {
	pid  int
	from time.Duration
}

// newMeter begins to measure a process: its peak starts at its present size.
func newMeter(pid int) (meter, error) {
	if err := resetPeak(pid); err != nil {
		return meter{}, err
	}
	u, err := usageOf(pid)
	return meter{pid: pid, from: u.CPU}, err
}

// read is the processor time since newMeter and the peak since then.
func (m meter) read() (usage, error) {
	u, err := usageOf(m.pid)
	u.CPU -= m.from
	return u, err
}
