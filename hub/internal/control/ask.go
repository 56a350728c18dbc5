package control

import (
	"context"

	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Ask performs a verb for a caller in this process, exactly as a request over NATS: with
// its checks, its bounds and its reply in JSON. of is the service or the entity of a verb
// that names one. A refusal is a *contract.Error. If ctx ends, Ask returns, and a verb
// that has begun is finished.
func (c *Server) Ask(ctx context.Context, name, of string, data []byte) ([]byte, error) {
	v, known := c.cfg.Verbs[name]
	if !known || v.Internal {
		return nil, contract.Errorf(contract.CodeNotFound, "no such verb: %s", name)
	}
	var service subjects.Name
	if v.Service || v.Entity {
		var err error
		if service, err = request.Name(of, "service"); err != nil {
			return nil, err
		}
	}
	type answer struct {
		data    []byte
		refused *contract.Error
	}
	answered := make(chan answer, 1)
	tell := func(body any, err error) {
		data, refused := c.encode(body, err)
		answered <- answer{data, refused}
	}
	c.start(ctx, func(ctx context.Context) { tell(c.perform(ctx, name, v, service, data)) }, tell)
	select {
	case a := <-answered:
		if a.refused != nil {
			return nil, a.refused
		}
		return a.data, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
