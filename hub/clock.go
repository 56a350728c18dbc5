package hub

import "time"

// now is the time by ingest's server. Everything that other hosts wrote, or will
// read, is compared with it; see ingest.Ingest.Now.
func (h *Hub) now() time.Time { return h.ingest.Now() }
