package apply

import (
	"fmt"
	"time"
)

// Summary is what a run did.
type Summary struct {
	Service string         `json:"service"`
	Tables  []TableSummary `json:"tables"`
	// DeadLetters counts the dead letters of the service that were stored during the run,
	// by any instance.
	DeadLetters uint64 `json:"dead_letters"`
	// Letters are the first dead letters of this instance.
	Letters []Letter `json:"letters,omitempty"`
	// Changes are what a run would change of the registration of a service that exists, and
	// Unsampled is why the tables to be made are not shown; a dry run alone has them.
	Changes   []string `json:"changes,omitempty"`
	Unsampled string   `json:"unsampled,omitempty"`
	// Took is how long the run lasted.
	Took time.Duration `json:"-"`
}

// TableSummary is what a run did to one table.
type TableSummary struct {
	Entity string `json:"entity"`
	Table  string `json:"table"`
	// Key is the key's column, and Columns are the others with their members; empty while
	// the table does not exist.
	Key     string          `json:"key,omitempty"`
	Columns []ColumnSummary `json:"columns,omitempty"`
	// Applied counts changes that were made, Deleted the deletes among them.
	Applied uint64 `json:"applied"`
	Deleted uint64 `json:"deleted"`
	// Passed counts changes that were already made, or older than what the table had.
	Passed uint64 `json:"passed"`
	// DeadLetters counts those of this instance.
	DeadLetters uint64 `json:"dead_letters"`
}

// ColumnSummary is a column and the path of the member that it takes.
type ColumnSummary struct {
	Column string `json:"column"`
	Member string `json:"member"`
}

// Letter is an event that became a dead letter.
type Letter struct {
	Entity string `json:"entity"`
	Key    string `json:"key"`
	Error  string `json:"error"`
}

// mostLetters bounds what is remembered of dead letters.
const mostLetters = 10

// DeadLettersError says that a run with Once has left dead letters.
type DeadLettersError struct {
	Service string
	Letters uint64
	// First is the first one that this instance knows of; nil if another stored it.
	First *Letter
}

// Error says how many, names the first, and what to do.
func (e *DeadLettersError) Error() string {
	first := ""
	if e.First != nil {
		first = fmt.Sprintf("; the first: %s %q: %s", e.First.Entity, e.First.Key, e.First.Error)
	}
	return fmt.Sprintf("%d changes became dead letters%s; see them with 'replhub dlq ls %s', and send them again with 'replhub dlq redrive %[3]s --all'",
		e.Letters, first, e.Service)
}
