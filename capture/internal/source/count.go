package source

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Count returns a function that says about how many rows an entity's tables have: what the
// planner believes, which reads no row.
func (s *Snapshots) Count(entity string) func(context.Context) (uint64, error) {
	return func(ctx context.Context) (uint64, error) {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return 0, fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Release()
		var tables []pgx.Identifier
		if err := eachName(ctx, conn.Conn(), func(_ uint32, schema, name string) {
			if of, ok := s.selection.Entity(schema, name); ok && of == entity {
				tables = append(tables, pgx.Identifier{schema, name})
			}
		}); err != nil {
			return 0, err
		}
		var rows uint64
		for _, table := range tables {
			n, err := planned(ctx, conn.Conn(), table)
			if err != nil {
				return 0, fmt.Errorf("estimate the rows of %s: %w", table.Sanitize(), err)
			}
			rows += n
		}
		return rows, nil
	}
}

func planned(ctx context.Context, conn *pgx.Conn, table pgx.Identifier) (uint64, error) {
	var text []byte
	if err := conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) SELECT FROM "+table.Sanitize()).Scan(&text); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"` //nolint:tagliatelle // PostgreSQL's name
		} `json:"Plan"` //nolint:tagliatelle // PostgreSQL's name
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) == 0 {
		return 0, fmt.Errorf("read the plan %.200q: %w", text, err)
	}
	return uint64(max(plans[0].Plan.Rows, 0)), nil
}
