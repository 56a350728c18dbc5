package contract

// Streams, consumers and buckets.
const (
	// StreamIngest takes every event.
	StreamIngest = "DB"
	// StreamDLQ holds the dead letters of all services.
	StreamDLQ = "DLQ"
	// StreamAdvisories captures the server's max-delivery advisories.
	StreamAdvisories = "REPLHUB_ADVISORIES"
	// StreamLanePrefix precedes the service's name in its lane's stream name.
	StreamLanePrefix = "SUB_"
	// BucketRegistry is the key-value registry's bucket.
	BucketRegistry = "REPLHUB"
	// StreamLedger holds what all hubs must agree on: ingest's
	// epochs, trim floor and pins.
	StreamLedger = "REPLHUB_LEDGER"
	// MetadataKey and MetadataValue mark a stream as the hub's.
	MetadataKey   = "replhub"
	MetadataValue = "1"
	// ConsumerWorkers is the work queue of a service whose order is none;
	// ordered by key they are "workers-0" and so on.
	ConsumerWorkers = "workers"
	// GroupWorkers is the priority group of the pinned consumers.
	GroupWorkers = "replhub"
	// MicroName is the control service's name.
	MicroName = "replhub"
)

// InboxPrefix is what the reply subjects of a service's instances begin with. A
// prefix of its own keeps a service from reading the answers that others get.
func InboxPrefix(service string) string { return "_INBOX_" + service }
