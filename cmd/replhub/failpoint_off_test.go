//go:build !failpoints

package main

import (
	"strings"
	"testing"
)

func TestNoFailpointsInABinaryForUse(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("REPLHUB_FAILPOINT", "append")
	if _, err := readSettings(); err == nil || !strings.Contains(err.Error(), "REPLHUB_FAILPOINT is no variable") {
		t.Errorf("error %v", err)
	}
}
