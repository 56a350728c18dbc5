package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/subjects"
)

// tableJournal is the table handlings, which all instances share. Each note is a
// transaction of its own beside the effect's, and its time is the database's.
type tableJournal struct {
	db         *sql.DB
	instance   string
	partitions int
}

func (j *tableJournal) close() error { return nil }

func (j *tableJournal) begin(ctx context.Context, batch []*replhub.Delivery) (n int64, err error) {
	if len(batch) != 1 {
		return 0, errors.New("batches are noted in files")
	}
	d := batch[0]
	err = j.db.QueryRowContext(ctx, `INSERT INTO handlings (instance, partition, key, epoch, seq) VALUES ($1, $2, $3, $4, $5) RETURNING n`,
		j.instance, subjects.Partition(d.Key, j.partitions), d.Key, int64(d.Position.Epoch), int64(d.Position.Seq)).Scan(&n)
	return n, err
}

func (j *tableJournal) end(ctx context.Context, n int64, outcomes []string) error {
	_, err := j.db.ExecContext(ctx, `UPDATE handlings SET ended = clock_timestamp(), outcome = $2 WHERE n = $1`, n, outcomes[0])
	return err
}
