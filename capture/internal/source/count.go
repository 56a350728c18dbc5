package source

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Count returns a function that says about how many rows an entity's table has: what the
// planner believes, which reads no row.
func (s *Snapshots) Count(entity string) func(context.Context) (uint64, error) {
	return func(ctx context.Context) (uint64, error) {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return 0, fmt.Errorf("connect to the database: %w", err)
		}
		defer conn.Release()
		t, err := s.tableOf(ctx, conn.Conn(), entity)
		if err != nil {
			return 0, err
		}
		rows, err := planned(ctx, conn.Conn(), t)
		if err != nil {
			return 0, fmt.Errorf("estimate the rows of %s: %w", t.FullName(), err)
		}
		return rows, nil
	}
}

func planned(ctx context.Context, conn *pgx.Conn, t *Table) (uint64, error) {
	var text []byte
	if err := conn.QueryRow(ctx, "EXPLAIN (FORMAT JSON) SELECT FROM "+t.itself()).Scan(&text); err != nil {
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
