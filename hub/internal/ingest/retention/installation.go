package retention

import "time"

// Install finds the installation's id. A ledger without one, which is new or was written
// by an older hub, gets the candidate, or the id that this hub knows.
func Install(candidate string, then func(id string) Step) Step {
	return update(func(l *Ledger, _ time.Time) (bool, error) {
		if l.Installation != "" {
			return false, nil
		}
		l.Installation = candidate
		return true, nil
	}, func(l Ledger) Step { return then(l.Installation) })
}

// recallInstallation adds the id that this hub knows to a ledger that lacks it, and
// reports whether it did.
func (l *Ledger) recallInstallation(known *Ledger) bool {
	if l.Installation != "" || known == nil || known.Installation == "" {
		return false
	}
	l.Installation = known.Installation
	return true
}
