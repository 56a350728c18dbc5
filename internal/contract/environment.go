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
	EnvHTTPTokenFile      = "REPLHUB_HTTP_TOKEN_FILE"
	EnvHTTPTLSCert        = "REPLHUB_HTTP_TLS_CERT"
	EnvHTTPTLSKey         = "REPLHUB_HTTP_TLS_KEY"
	EnvHTTPProxies        = "REPLHUB_HTTP_PROXIES"
	EnvConsole            = "REPLHUB_CONSOLE"
	EnvConsolePayloads    = "REPLHUB_CONSOLE_PAYLOADS"
	EnvHistory            = "REPLHUB_HISTORY"
	EnvDedupeWindow       = "REPLHUB_DEDUPE_WINDOW"
	EnvIngestMaxBytes     = "REPLHUB_INGEST_MAX_BYTES"
	EnvLaneMaxBytes       = "REPLHUB_LANE_MAX_BYTES"
	EnvDLQMaxBytes        = "REPLHUB_DLQ_MAX_BYTES"
	EnvDLQServiceMaxBytes = "REPLHUB_DLQ_SERVICE_MAX_BYTES"
	EnvQuotaLanes         = "REPLHUB_QUOTA_LANES"
	EnvQuotaLaneBytes     = "REPLHUB_QUOTA_LANE_BYTES"
	EnvQuotaRegistrations = "REPLHUB_QUOTA_REGISTRATIONS"
	EnvMemoryBytes        = "REPLHUB_MEMORY_BYTES"
	EnvOnFull             = "REPLHUB_ON_FULL"
	EnvPolicy             = "REPLHUB_POLICY"
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
		{EnvNATSURL, "nats://127.0.0.1:4222", "NATS servers, separated by commas"},
		{EnvNATSCreds, "", "NATS credentials file"},
		{EnvNATSNkey, "", "nkey seed file"},
		{EnvNATSUser, "", "NATS user; the password is in REPLHUB_NATS_PASSWORD_FILE"},
		{EnvNATSPasswordFile, "", "file with the NATS user's password"},
		{EnvNATSTLSCA, "", "file with the CA certificates for the NATS servers"},
		{EnvNATSTLSCert, "", "client certificate file for NATS"},
		{EnvNATSTLSKey, "", "key file of the client certificate for NATS"},
		{EnvNATSTLSFirst, "false", "true for servers with handshake_first, which start TLS before their greeting"},
		{EnvJSDomain, "", "JetStream domain"},
		{EnvRegistry, "zk if REPLHUB_ZK_SERVERS is set, else kv", "where registrations are kept: zk (ZooKeeper) or kv (a JetStream bucket)"},
		{EnvZKServers, "", "ZooKeeper servers, host:port separated by commas"},
		{EnvZKRoot, "/replhub", "znode under which the hub keeps its records"},
		{EnvZKSessionTimeout, "10s", "how long a hub may be silent before ZooKeeper removes its membership"},
		{EnvZKAuthFile, "", "file with user:password for ZooKeeper's digest authentication"},
		{EnvZKTLSCA, "", "file with the CA certificates for ZooKeeper; connections are encrypted if this or a client certificate is set"},
		{EnvZKTLSCert, "", "client certificate file for ZooKeeper"},
		{EnvZKTLSKey, "", "key file of the client certificate for ZooKeeper"},
		{EnvHubID, "random", "name of this hub; unique among the hubs"},
		{EnvReplicas, "3 on a cluster of three or more, else 1", "number of replicas of each stream"},
		{EnvHTTPAddr, "127.0.0.1:8280", "address of the console, /healthz, /readyz and /metrics; an address that other machines reach needs a token, and TLS or REPLHUB_HTTP_PROXIES"},
		{EnvHTTPTokenFile, "", "file with the token that each HTTP request must have (Authorization: Bearer, or the login of the console); one word of at least 16 characters"},
		{EnvHTTPTLSCert, "", "certificate file of the HTTP server"},
		{EnvHTTPTLSKey, "", "key file of the HTTP server's certificate"},
		{EnvHTTPProxies, "", "addresses of proxies that encrypt in front of the HTTP server, as in 10.0.0.0/24, separated by commas; requests from elsewhere are refused"},
		{EnvConsole, "read", "the console: read, operate (with actions) or off"},
		{EnvConsolePayloads, "ask", "payloads in the console: ask (shown when asked for) or off (never shown)"},
		{EnvHistory, "24h", "age that processed events and acknowledged copies reach before they are removed, unless their stream is full"},
		{EnvDedupeWindow, "10m", "how long a publisher's retry with the same Nats-Msg-Id is recognised"},
		{EnvIngestMaxBytes, "4GiB", "limit of the ingest stream DB"},
		{EnvLaneMaxBytes, "1GiB", "limit of a new lane whose registration states no max_bytes; REPLHUB_QUOTA_LANE_BYTES if that is less"},
		{EnvDLQMaxBytes, "1GiB", "limit of the stream DLQ"},
		{EnvDLQServiceMaxBytes, "an eighth of REPLHUB_DLQ_MAX_BYTES", "limit of one service's dead letters; at the limit, that service alone stalls"},
		{EnvQuotaLanes, "5000", "largest number of services; a further one is refused with the code limit"},
		{EnvQuotaLaneBytes, "none", "largest max_bytes that a registration may state; none or 0 means no limit"},
		{EnvQuotaRegistrations, "1000", "largest number of registrations of a service in a second, for each hub; 0 means no limit"},
		{EnvMemoryBytes, "128MiB", "limit of the memory that the hub uses for events"},
		{EnvOnFull, "detach", "what to do when ingest is full: detach (the lane that keeps ingest from being trimmed) or refuse (publishers)"},
		{EnvPolicy, "open", "what a service may have of an entity without a policy: open (everything) or required (nothing)"},
		{EnvDrainTimeout, "10s", "how long a clean stop may take"},
		{EnvLogLevel, "info", "debug, info, warn or error"},
		{EnvLogFormat, "text", "text or json"},
	}
}
