// Package ownership divides the lanes among the live hubs by rendezvous hashing: each
// hub computes the same owner from the same members. Members come from the registry;
// while the registry is unavailable, the hubs use the last known members.
//
// Ownership only serves efficiency: if two hubs both believe that they own a lane, the
// last sequence that every append states keeps the lane consistent.
package ownership

import (
	"hash/fnv"

	"github.com/replhub/replhub/subjects"
)

// ownerOf is the member that copies into a service's lane; "" without members.
func ownerOf(service subjects.Name, members []string) string {
	var owner string
	var best uint64
	for _, id := range members {
		f := fnv.New64a()
		f.Write([]byte(id))
		f.Write([]byte{0})
		f.Write([]byte(service.String()))
		weight := mix(f.Sum64())
		if owner == "" || weight > best || (weight == best && id < owner) {
			owner, best = id, weight
		}
	}
	return owner
}

// mix spreads FNV's high bits, in which short strings hardly differ
// (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
