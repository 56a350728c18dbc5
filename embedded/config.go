package embedded

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Defaults of Config.
const (
	DefaultHost = "127.0.0.1"
	DefaultPort = 4222
	// FreePort as Config.Port lets the system choose.
	FreePort = -1
)

// Config says where the server listens and what it keeps. The zero Config
// works: 127.0.0.1:4222 with a temporary folder.
type Config struct {
	// Host is the address to listen on; 127.0.0.1 by default.
	Host string
	// Port is the TCP port to listen on; 4222 by default, FreePort for any.
	Port int
	// StoreDir holds the streams and is made when absent. Empty means a
	// temporary folder, removed by Close.
	StoreDir string
	// SyncAlways syncs every write to disk before it is acknowledged. Without
	// it, a power loss may take up to SyncInterval of acknowledged messages.
	SyncAlways bool
	// SyncInterval is the time between syncs to disk; 0 leaves the server's
	// own default, two minutes.
	SyncInterval time.Duration
	// MaxPayload is the largest message in bytes, headers included; 0 leaves
	// the server's default, 1 MiB.
	MaxPayload int
	// Logger takes the server's log: notices at debug, warnings and errors at
	// warn. Nil discards it.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Host = cmp.Or(c.Host, DefaultHost)
	c.Port = cmp.Or(c.Port, DefaultPort)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

func (c Config) validate() error {
	if c.Port < FreePort || c.Port > math.MaxUint16 {
		return fmt.Errorf("config: Port %d: must be 1 to %d, or %d for a free one", c.Port, math.MaxUint16, FreePort)
	}
	if c.SyncInterval < 0 {
		return fmt.Errorf("config: SyncInterval %s: must not be negative", c.SyncInterval)
	}
	if c.MaxPayload < 0 || c.MaxPayload > math.MaxInt32 {
		return fmt.Errorf("config: MaxPayload %d: must be 0 to %d bytes", c.MaxPayload, math.MaxInt32)
	}
	return nil
}
