//go:build !failpoints

package main

import "github.com/replhub/replhub/hub"

// failpoints does nothing: a binary for use has none.
func failpoints(*hub.Config) error { return nil }

// failpointVariables are none.
func failpointVariables() []string { return nil }
