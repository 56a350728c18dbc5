package model_test

import (
	"context"
	"maps"
	"os"
	"time"

	"github.com/replhub/replhub/hub/sim/model"
)

// copied is a copy of the server's store, and of the model at that time.
type copied struct {
	dir           string
	model, ledger *model.Stream
	replies       map[string]map[uint64]string
}

// restart stops the server and starts it again.
func (p *pair) restart() {
	p.now("restart")
	p.server.Stop()
	p.begin()
	p.model.Restart(time.Now())
	p.modelLedger.Restart(time.Now())
}

// copyStore copies the store of the server, which begins again.
func (p *pair) copyStore() {
	p.now("copy")
	p.server.Stop()
	c := copied{dir: p.t.TempDir(), replies: make(map[string]map[uint64]string)}
	if err := os.CopyFS(c.dir, os.DirFS(p.server.StoreDir())); err != nil {
		p.t.Fatal(err)
	}
	p.begin()
	p.model.Restart(time.Now())
	p.modelLedger.Restart(time.Now())
	c.model, c.ledger = p.model.Copy(), p.modelLedger.Copy()
	for name, of := range p.replies {
		c.replies[name] = maps.Clone(of)
	}
	p.copied = c
}

// restore has the server begin with the copy of its store.
func (p *pair) restore() {
	c := p.copied
	if c.model == nil {
		return
	}
	p.now("restore")
	p.server.Stop()
	if err := os.RemoveAll(p.server.StoreDir()); err != nil {
		p.t.Fatal(err)
	}
	if err := os.CopyFS(p.server.StoreDir(), os.DirFS(c.dir)); err != nil {
		p.t.Fatal(err)
	}
	p.begin()
	p.model, p.modelLedger = c.model.Begin(time.Now()), c.ledger.Begin(time.Now())
	clear(p.replies)
	for name, of := range c.replies {
		p.replies[name] = maps.Clone(of)
	}
}

// begin starts the server, and waits until it answers.
func (p *pair) begin() {
	p.server.Start()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
		_, err := p.stream.Info(ctx)
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
}
