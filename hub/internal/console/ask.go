package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/replhub/replhub/internal/contract"
)

// ask performs a verb and decodes its reply; a refusal is a *contract.Error.
func ask[Reply any](ctx context.Context, c *Console, verb, of string, req any) (reply Reply, err error) {
	data, err := json.Marshal(req)
	if err != nil {
		return reply, fmt.Errorf("encode a request: %w", err)
	}
	if data, err = c.cfg.Source().Ask(ctx, verb, of, data); err != nil {
		return reply, err
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return reply, fmt.Errorf("decode the reply of %s: %w", verb, err)
	}
	return reply, nil
}

// statusOf is the HTTP status of a refusal.
func statusOf(err error) int {
	refusal, ok := errors.AsType[*contract.Error](err)
	if !ok {
		return http.StatusBadGateway
	}
	switch refusal.Code {
	case contract.CodeNotFound:
		return http.StatusNotFound
	case contract.CodeUnavailable, contract.CodeBusy:
		return http.StatusServiceUnavailable
	case contract.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusUnprocessableEntity
}

// textOf is what a page says of an error.
func textOf(err error) string {
	if refusal, ok := errors.AsType[*contract.Error](err); ok {
		return refusal.Message
	}
	return err.Error()
}
