package hub

import "time"

// now is the time by ingest's server; see ingest.Ingest.Now. Times that other hosts
// write or read are compared with it.
func (h *Hub) now() time.Time { return h.ingest.Now() }
