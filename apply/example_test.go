package apply_test

import (
	"context"
	"fmt"
	"os"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/apply"
)

// A job brings a table up to date and ends.
func ExampleRun() { //nolint:testableexamples // it needs a hub and a database
	summary, err := apply.Run(context.Background(), apply.Config{
		Service: "sharing",
		DSN:     os.Getenv("DATABASE_URL"),
		Start:   replhub.StartSnapshot(),
		Once:    true,
		Tables: []apply.Table{
			{Entity: "user", Table: "people", Columns: map[string]string{"city": "address.city"}},
		},
	})
	if err != nil {
		fmt.Println(err) // all that does not fit, or the dead letters
		return
	}
	for _, t := range summary.Tables {
		fmt.Println(t.Table, t.Applied)
	}
}
