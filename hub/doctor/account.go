package doctor

import (
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
)

// nearly is how much of a limit may be used before it is a warning.
const nearly = 0.9

// sharedStreams is how many streams the hub needs besides those of services.
const sharedStreams = 6

// judgeAccount judges the limits of the account.
func judgeAccount(f *facts, r *Report) {
	if f.cfg.Conn == nil || f.accountErr != nil {
		return // told as server.jetstream
	}
	g := r.group(GroupAccount)
	tier := f.account.Tier
	if own, ok := f.account.Tiers["R"+strconv.Itoa(f.replicas())]; ok {
		tier = own
	}
	judgeLimit(g, "account.streams", "max_streams", uint64(tier.Streams), tier.Limits.MaxStreams, "drop a service (each has a stream)")
	if limit := tier.Limits.MaxStreams; limit > 0 && limit < sharedStreams {
		g.fail("account.streams", "", fmt.Sprintf("the account may have %d streams, and a hub needs %d, and one for each service", limit, sharedStreams), "raise max_streams of the account")
	}
	readers := uint64(0)
	if db := f.stream(contract.StreamIngest); db != nil {
		readers = uint64(db.State.Consumers)
	}
	judgeLimit(g, "account.consumers", "max_consumers", readers, tier.Limits.MaxConsumers, "run fewer hubs")
	judgeBytes(g, tier)
	if tier.Limits.MaxBytesRequired {
		g.pass("account.max_bytes_required", "", "the account demands a limit of every stream (max_bytes_required): each service reserves its whole limit")
	} else {
		g.pass("account.max_bytes_required", "", "streams need no limit")
	}
	if limit := tier.Limits.MaxAckPending; limit > 0 && limit < ackPending {
		g.fail("account.max_ack_pending", "", fmt.Sprintf("max_ack_pending is %d, and a lane's consumer needs %d", limit, ackPending), "raise max_ack_pending of the account")
	}
}

// ackPending is what a lane's consumer needs.
const ackPending = 1000

func judgeLimit(g group, check, name string, used uint64, limit int, other string) {
	switch {
	case limit <= 0:
		g.pass(check, "", name+" is not limited")
	case float64(used) >= nearly*float64(limit):
		g.warn(check, "", fmt.Sprintf("%d of %d are used (%s)", used, limit, name), fmt.Sprintf("raise %s of the account, or %s", name, other))
	default:
		g.pass(check, "", fmt.Sprintf("%d of %d are used (%s)", used, limit, name))
	}
}

func judgeBytes(g group, tier jetstream.Tier) {
	used, limit := max(tier.Store, tier.ReservedStore), tier.Limits.MaxStore
	text := fmt.Sprintf("%s of %s are used or reserved (max_file)", contract.SizeText(used), contract.SizeText(limit))
	const do = "raise max_file of the account, or lower the max_bytes of streams"
	switch {
	case limit < 0:
		g.pass("account.storage", "", fmt.Sprintf("storage is not limited; %s are used or reserved", contract.SizeText(used)))
	case limit == 0:
		g.fail("account.storage", "", "the account may store nothing in files (max_file is 0)", "raise max_file of the account")
	case used >= uint64(limit):
		g.fail("account.storage", "", text, do)
	case float64(used) >= nearly*float64(limit):
		g.warn("account.storage", "", text, do)
	default:
		g.pass("account.storage", "", text)
	}
}

// stream is what was read of a stream, nil if nothing was.
func (f *facts) stream(name string) *streamFact {
	for i := range f.streams {
		if f.streams[i].Config.Name == name && f.streams[i].err == nil {
			return &f.streams[i]
		}
	}
	return nil
}

// replicas are those of ingest, or 1.
func (f *facts) replicas() int {
	if db := f.stream(contract.StreamIngest); db != nil {
		return max(db.Config.Replicas, 1)
	}
	return 1
}
