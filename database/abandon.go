package database

import (
	"database/sql"
	"errors"
	"fmt"
)

// Abandon ends a transaction in which a statement failed with err, and returns err:
// as [ErrConflict] if it is a conflict ([Classify]), and joined with the error of a
// failed rollback. Abandon rolls tx back if it has the Rollback of a *sql.Tx;
// otherwise the caller must do that.
//
// A server may have rolled the transaction back already, as MariaDB does at a
// deadlock and at error 1020, while the driver still considers it open. Without
// Abandon its Commit then succeeds, and keeps only the statements after the failure.
func Abandon(tx Tx, err error) error {
	if Classify(err) == Conflict && !errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w: %w", ErrConflict, err)
	}
	open, ok := tx.(interface{ Rollback() error })
	if !ok {
		return err
	}
	if rollbackErr := open.Rollback(); !errors.Is(rollbackErr, sql.ErrTxDone) {
		// A connection that broke breaks the rollback as well.
		err = errors.Join(err, rollbackErr)
	}
	return err
}
