//go:build linux || darwin || freebsd

package main

import "golang.org/x/sys/unix"

// freeDisk is how many bytes a folder's disk has free; 0 when it cannot be told.
func freeDisk(dir string) int64 {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0
	}
	return int64(stat.Bavail) * int64(stat.Bsize) //nolint:unconvert // no disk has 8 EiB; types differ by system
}
