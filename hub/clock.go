package hub

import "time"

// futureTolerance is how far ahead of the server's clock a client's may be
// before what it calls "now" is refused as the future.
const futureTolerance = time.Second

// now is the time by ingest's server. Everything that other hosts wrote, or will
// read, is compared with it; see ingest.Ingest.Now.
func (h *Hub) now() time.Time { return h.ingest.Now() }

// since is how many seconds ago something was, by the server's clock; never
// negative.
func (h *Hub) since(at time.Time) float64 { return max(h.now().Sub(at).Seconds(), 0) }
