package reconnect

import "time"

// Settle sets for how long a connection must stand for its trouble to be over.
func Settle(k *Supervisor, d time.Duration) { k.settle = d }
