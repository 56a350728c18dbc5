package contract

// EnvironmentPrefix begins the name of every variable that configures
// replhub serve. A variable that begins so and is none of Variables is refused.
const EnvironmentPrefix = "REPLHUB_"

// The variables that configure replhub serve.
const (
	EnvNATSURL            = "REPLHUB_NATS_URL"
	EnvNATSCreds          = "REPLHUB_NATS_CREDS"
	EnvNATSNkey           = "REPLHUB_NATS_NKEY"
	EnvNATSUser           = "REPLHUB_NATS_USER"
	EnvNATSPasswordFile   = "REPLHUB_NATS_PASSWORD_FILE"
	EnvNATSTLSCA          = "REPLHUB_NATS_TLS_CA"
	EnvNATSTLSCert        = "REPLHUB_NATS_TLS_CERT"
	EnvNATSTLSKey         = "REPLHUB_NATS_TLS_KEY"
	EnvNATSTLSFirst       = "REPLHUB_NATS_TLS_FIRST"
	EnvJSDomain           = "REPLHUB_JS_DOMAIN"
	EnvRegistry           = "REPLHUB_REGISTRY"
	EnvZKServers          = "REPLHUB_ZK_SERVERS"
	EnvZKRoot             = "REPLHUB_ZK_ROOT"
	EnvZKSessionTimeout   = "REPLHUB_ZK_SESSION_TIMEOUT"
	EnvZKAuthFile         = "REPLHUB_ZK_AUTH_FILE"
	EnvZKTLSCA            = "REPLHUB_ZK_TLS_CA"
	EnvZKTLSCert          = "REPLHUB_ZK_TLS_CERT"
	EnvZKTLSKey           = "REPLHUB_ZK_TLS_KEY"
	EnvHubID              = "REPLHUB_HUB_ID"
	EnvReplicas           = "REPLHUB_REPLICAS"
	EnvHTTPAddr           = "REPLHUB_HTTP_ADDR"
	EnvHistory            = "REPLHUB_HISTORY"
	EnvDedupeWindow       = "REPLHUB_DEDUPE_WINDOW"
	EnvIngestMaxBytes     = "REPLHUB_INGEST_MAX_BYTES"
	EnvLaneMaxBytes       = "REPLHUB_LANE_MAX_BYTES"
	EnvDLQMaxBytes        = "REPLHUB_DLQ_MAX_BYTES"
	EnvDLQServiceMaxBytes = "REPLHUB_DLQ_SERVICE_MAX_BYTES"
	EnvMemoryBytes        = "REPLHUB_MEMORY_BYTES"
	EnvOnFull             = "REPLHUB_ON_FULL"
	EnvDrainTimeout       = "REPLHUB_DRAIN_TIMEOUT"
	EnvLogLevel           = "REPLHUB_LOG_LEVEL"
	EnvLogFormat          = "REPLHUB_LOG_FORMAT"
)

// Variable is one variable of the environment, for help texts and
// documentation.
type Variable struct {
	Name string
	// Default is what holds when it is not set; empty means nothing.
	Default string
	Meaning string
}

// Variables are all that replhub serve reads, in the order in which a reader
// wants them.
func Variables() []Variable {
	return []Variable{
		{EnvNATSURL, "nats://127.0.0.1:4222", "servers, separated by commas"},
		{EnvNATSCreds, "", "credentials file"},
		{EnvNATSNkey, "", "nkey seed file"},
		{EnvNATSUser, "", "user; its password is in NATS_PASSWORD_FILE"},
		{EnvNATSPasswordFile, "", "file with the user's password"},
		{EnvNATSTLSCA, "", "file of the authorities that sign the servers' certificates"},
		{EnvNATSTLSCert, "", "client certificate file"},
		{EnvNATSTLSKey, "", "client certificate's key file"},
		{EnvNATSTLSFirst, "false", "true for servers with handshake_first: TLS before the server's greeting"},
		{EnvJSDomain, "", "JetStream domain"},
		{EnvRegistry, "zk when ZK_SERVERS is set, else kv", "where registrations are kept: zk (ZooKeeper) or kv (a JetStream bucket)"},
		{EnvZKServers, "", "ZooKeeper servers, host:port separated by commas"},
		{EnvZKRoot, "/replhub", "znode above all that the hub keeps"},
		{EnvZKSessionTimeout, "10s", "how long ZooKeeper keeps a silent hub's membership"},
		{EnvZKAuthFile, "", "file with user:password for digest authentication"},
		{EnvZKTLSCA, "", "file of the authorities that sign ZooKeeper's certificates; with this or a client certificate, connections are encrypted"},
		{EnvZKTLSCert, "", "client certificate file"},
		{EnvZKTLSKey, "", "client certificate's key file"},
		{EnvHubID, "random", "this hub's name among the hubs"},
		{EnvReplicas, "3 on a cluster of three or more, else 1", "replicas of each stream"},
		{EnvHTTPAddr, "127.0.0.1:8280", "address of /healthz, /readyz and /metrics"},
		{EnvHistory, "24h", "how long acknowledged events are kept"},
		{EnvDedupeWindow, "10m", "how long a publisher's retry is recognised"},
		{EnvIngestMaxBytes, "4GiB", "limit of the stream that takes every event"},
		{EnvLaneMaxBytes, "1GiB", "limit of a lane that states none"},
		{EnvDLQMaxBytes, "1GiB", "limit of the dead letters"},
		{EnvDLQServiceMaxBytes, "an eighth of DLQ_MAX_BYTES", "limit of the dead letters of one service, which stalls alone when they reach it"},
		{EnvMemoryBytes, "128MiB", "how much of events the hub holds in memory at a time"},
		{EnvOnFull, "detach", "when ingest is full: detach the lane that pins it, or refuse publishers"},
		{EnvDrainTimeout, "10s", "how long a stop may take"},
		{EnvLogLevel, "info", "debug, info, warn or error"},
		{EnvLogFormat, "text", "text or json"},
	}
}
