//go:build !linux

package main

import "errors"

// errNoUsage: only Linux tells the peak memory of another process, and the
// figures would mean little without it.
var errNoUsage = errors.New("bench measures processes through /proc: run it on Linux")

func usageOf(int) (usage, error) { return usage{}, errNoUsage }

func resetPeak(int) error { return errNoUsage }
