// Package ownership divides the lanes among the live hubs.
//
// By rendezvous hashing, each hub computes the same owner of a lane from the same members,
// and a hub that comes or goes moves no lane of the others. The shares are then equal on
// average only. So a hub with too many lanes lends some to hubs with too few (share.go
// decides which, lend.go agrees on it). Every lane has an owner at all times, also while
// hubs know different members: the owner by rendezvous hashing copies into a lane until
// the borrower has accepted the lane, and again as soon as a hub no longer confirms that.
//
// Members come from the registry; while the registry is unavailable, the hubs use the last
// known members. A hub that does not answer is no member, whatever the registry says.
//
// Ownership only serves efficiency: if two hubs both believe that they own a lane, the
// last sequence that every append states keeps the lane consistent.
package ownership

import (
	"hash/fnv"

	"github.com/replhub/replhub/subjects"
)

// ownerOf is the member that a lane belongs to by rendezvous hashing; "" without members.
func ownerOf(service subjects.Name, members []string) string {
	var owner string
	var best uint64
	for _, id := range members {
		w := weight(service, id)
		if owner == "" || w > best || (w == best && id < owner) {
			owner, best = id, w
		}
	}
	return owner
}

// weight says how much a lane belongs to a hub, beside its weights with other hubs.
func weight(service subjects.Name, id string) uint64 {
	f := fnv.New64a()
	f.Write([]byte(id))
	f.Write([]byte{0})
	f.Write([]byte(service.String()))
	return mix(f.Sum64())
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
