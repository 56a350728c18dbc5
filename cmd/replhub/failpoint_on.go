//go:build failpoints

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/replhub/replhub/hub"
)

// The variables of a test build.
const (
	// envFailpoint is "<step>" or "<step>:<n>": the process kills itself at the
	// n-th call of that step, the first by default.
	envFailpoint   = "REPLHUB_FAILPOINT"
	envTrimGuard   = "REPLHUB_TRIM_GUARD"
	envTrimEvery   = "REPLHUB_TRIM_EVERY"
	envOwnAll      = "REPLHUB_OWN_ALL"
	envWindowBytes = "REPLHUB_WINDOW_BYTES"
)

func failpointVariables() []string {
	return []string{envFailpoint, envTrimGuard, envTrimEvery, envOwnAll, envWindowBytes}
}

// failpoints sets what only tests may.
func failpoints(cfg *hub.Config) error {
	var err error
	set := func(name string, parse func(value string) error) {
		if value := os.Getenv(name); value != "" && err == nil {
			if bad := parse(value); bad != nil {
				err = fmt.Errorf("%s=%q: %w", name, value, bad)
			}
		}
	}
	set(envTrimGuard, func(v string) (e error) { cfg.TrimGuard, e = time.ParseDuration(v); return e })
	set(envTrimEvery, func(v string) (e error) { cfg.TrimEvery, e = time.ParseDuration(v); return e })
	set(envOwnAll, func(v string) (e error) { cfg.OwnAll, e = strconv.ParseBool(v); return e })
	set(envWindowBytes, func(v string) (e error) { cfg.WindowBytes, e = strconv.Atoi(v); return e })
	set(envFailpoint, func(v string) (e error) { cfg.Failpoint, e = killAt(v); return e })
	return err
}

// killAt kills this process, as from outside, at the n-th call of a step.
func killAt(spec string) (func(step string), error) {
	at, times, numbered := strings.Cut(spec, ":")
	n := int64(1)
	if numbered {
		var err error
		if n, err = strconv.ParseInt(times, 10, 64); err != nil || n < 1 {
			return nil, fmt.Errorf("want <step> or <step>:<n> with n from 1 on")
		}
	}
	var calls atomic.Int64
	return func(step string) {
		if step != at || calls.Add(1) != n {
			return
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(fmt.Sprintf("failpoint %s: %v", spec, err))
		}
		select {} // until the signal has arrived
	}, nil
}
