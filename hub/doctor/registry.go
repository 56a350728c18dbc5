package doctor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/replhub/replhub/internal/contract"
)

// judgeRegistry judges the registry, as the hubs see it and as it is seen from here.
func judgeRegistry(f *facts, r *Report) {
	g := r.group(GroupRegistry)
	for i := range f.status {
		s := &f.status[i]
		if !s.Registry.Connected {
			g.fail("registry.connected", s.Hub, fmt.Sprintf("the hub has no connection to its registry (%s): %s", s.Registry.Kind, s.Registry.Error),
				"make the registry available again; copies go on meanwhile")
			continue
		}
		g.pass("registry.connected", s.Hub, "the hub is connected to its registry: "+s.Registry.Kind)
	}
	kind := f.registryKind()
	switch {
	case f.zookeeper != nil:
		f.zookeeper.judge(g, f.cfg.ZooKeeper)
		if len(f.status) > 0 && kind != "zk" {
			g.fail("registry.kind", "", "the hubs keep their registry in a bucket, and "+contract.EnvZKServers+" names a ZooKeeper", "give all hubs and this command the same settings")
		}
	case kind == "zk":
		g.unseen("registry.zookeeper", "", "ZooKeeper itself", "set the hubs' "+contract.EnvZKServers+" for this command, too")
	case kind == "kv" && f.stream(bucketStream) != nil:
		g.pass("registry.bucket", bucketStream, "the bucket can be read")
	case kind == "kv" && f.streamsErr == nil && f.cfg.Conn != nil:
		g.fail("registry.bucket", bucketStream, "the bucket cannot be read", "look at the streams' findings; a hub makes a bucket again that was deleted")
	case f.cfg.Conn == nil:
		// told as server.reachable
	case f.stream(bucketStream) != nil:
		g.pass("registry.bucket", bucketStream, "the bucket can be read")
	default:
		g.unseen("registry.bucket", "", "the registry", "use the hub's credentials, or set "+contract.EnvZKServers)
	}
}

// judge judges a registry in ZooKeeper.
func (z *zookeeperFact) judge(g group, cfg *ZooKeeper) {
	leaders := z.judgeServers(g)
	switch {
	case z.err == nil:
	case errors.Is(z.err, zk.ErrNoAuth):
		g.fail("registry.acl", cfg.Root, "these credentials may not read the registry", "set "+contract.EnvZKAuthFile+" to the user that made it")
		return
	default:
		g.fail("registry.zookeeper", "", fmt.Sprintf("ZooKeeper does not serve: %v", z.err), "start a majority of its servers")
		return
	}
	g.pass("registry.zookeeper", "", "ZooKeeper serves")
	if len(z.servers) > 1 && leaders > 1 {
		g.fail("registry.ensemble", "", "several servers lead or stand alone: they are not one ensemble", "name the servers of one ensemble in "+contract.EnvZKServers)
	}
	if z.missing {
		g.warn("registry.root", cfg.Root, "there is no registry: no hub has run with this root", "start a hub, or set "+contract.EnvZKServers+" and REPLHUB_ZK_ROOT as the hubs have them")
		return
	}
	g.pass("registry.root", cfg.Root, fmt.Sprintf("the registry exists; hubs: %d", len(z.hubs)))
	z.judgeACL(g, cfg)
}

// judgeServers judges each server, and counts those that lead or stand alone.
func (z *zookeeperFact) judgeServers(g group) (leaders int) {
	for _, s := range z.servers {
		switch {
		case errors.Is(s.err, errSilent):
			g.unseen("registry.server", s.addr, s.err.Error(), "allow srvr in 4lw.commands.whitelist")
		case s.err != nil:
			g.warn("registry.server", s.addr, fmt.Sprintf("this server of ZooKeeper cannot be reached: %v", s.err), "start it; the others serve while they are a majority")
		default:
			if s.mode == "leader" || s.mode == "standalone" {
				leaders++
			}
			g.pass("registry.server", s.addr, "mode "+s.mode)
		}
	}
	return leaders
}

// judgeACL judges who may change the registry.
func (z *zookeeperFact) judgeACL(g group, cfg *ZooKeeper) {
	open := slices.ContainsFunc(z.acl, func(a zk.ACL) bool { return a.Scheme == "world" && a.Perms&^zk.PermRead != 0 })
	switch {
	case open && cfg.Auth != "":
		g.warn("registry.acl", cfg.Root, "anybody who reaches ZooKeeper may change the registry, although "+contract.EnvZKAuthFile+" is set: it was made without",
			"set the ACL of all znodes below it to the user (setAcl -R)")
	case open:
		g.pass("registry.acl", cfg.Root, "anybody who reaches ZooKeeper may change the registry; "+contract.EnvZKAuthFile+" gives it to one user")
	default:
		g.pass("registry.acl", cfg.Root, "the registry belongs to its user")
	}
}
